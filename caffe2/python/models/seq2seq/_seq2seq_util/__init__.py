"""Behind caffe2.python.models.seq2seq.seq2seq_util: vocabularies, encoders and decoders."""

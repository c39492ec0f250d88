"""Recurrent cells, stacks of them, and the layers that run them over sequences."""

from __future__ import annotations

from caffe2.python._rnn_cell.attention_cell import AttentionCell, LSTMWithAttentionCell, MILSTMWithAttentionCell
from caffe2.python._rnn_cell.cell import LSTMInitializer, RNNCell, _RectifyName, _RectifyNames
from caffe2.python._rnn_cell.cudnn import GetLSTMParamNames, InitFromLSTMParams, cudnn_LSTM
from caffe2.python._rnn_cell.lstm import (
    BasicRNNCell,
    LayerNormLSTMCell,
    LayerNormMILSTMCell,
    LSTMCell,
    MILSTMCell,
)
from caffe2.python._rnn_cell.sequence import (
    _LSTM,
    LSTM,
    MILSTM,
    BasicRNN,
    LayerNormLSTM,
    LayerNormMILSTM,
    LSTMWithAttention,
    _layered_LSTM,
    layered_LSTM,
)
from caffe2.python._rnn_cell.stack import DropoutCell, MultiRNNCell, MultiRNNCellInitializer
from caffe2.python._rnn_cell.unrolled import UnrolledCell

__all__ = [
    "AttentionCell",
    "BasicRNN",
    "BasicRNNCell",
    "DropoutCell",
    "GetLSTMParamNames",
    "InitFromLSTMParams",
    "LSTM",
    "LSTMCell",
    "LSTMInitializer",
    "LSTMWithAttention",
    "LSTMWithAttentionCell",
    "LayerNormLSTM",
    "LayerNormLSTMCell",
    "LayerNormMILSTM",
    "LayerNormMILSTMCell",
    "MILSTM",
    "MILSTMCell",
    "MILSTMWithAttentionCell",
    "MultiRNNCell",
    "MultiRNNCellInitializer",
    "RNNCell",
    "UnrolledCell",
    "_LSTM",
    "_RectifyName",
    "_RectifyNames",
    "_layered_LSTM",
    "cudnn_LSTM",
    "layered_LSTM",
]

"""What SSD detects: decoded boxes, suppressed by ONNX's NonMaxSuppression."""

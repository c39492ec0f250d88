"""What recurrent networks are compared and tested with."""

"""The places where runs are kept, one module each."""

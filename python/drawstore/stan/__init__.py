"""What stands in the files of Stan, beside the numbers."""

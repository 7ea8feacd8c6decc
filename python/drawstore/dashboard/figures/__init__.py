"""What the page of a run shows: a figure is a module here."""

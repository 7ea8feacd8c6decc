"""ClickHouse: servers, the tables of runs there, and how draws get into them and back."""

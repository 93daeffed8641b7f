"""Any Python object becomes what JSON can hold: bounded, never raising, nothing touched."""

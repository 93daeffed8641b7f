"""Request middleware for ASGI and WSGI."""

"""What the routers of the JSON API share: tokens, errors, strict types, pages, repeats, ETags."""

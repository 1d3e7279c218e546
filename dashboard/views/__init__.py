"""What is drawn: the frame and the pages. A page is a module with ``render(place)``."""

"""Testing networks on lists of videos: numbers, tables, pages."""

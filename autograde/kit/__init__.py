"""What a student holds."""

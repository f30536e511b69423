"""The grader: what is asked, what a student holds, how it is judged, what an instructor reads."""

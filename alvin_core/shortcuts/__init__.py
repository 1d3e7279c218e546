"""What of the input goes with a label: cues, their statistics, and what is significant."""

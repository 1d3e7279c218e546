"""The screens of ALVIN Studio."""

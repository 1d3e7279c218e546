"""Values to Plotly figures."""

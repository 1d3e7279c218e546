"""Values to pictures: Plotly figures and small SVG, without Streamlit."""

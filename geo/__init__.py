"""Land and logistics analysis: tables in, tables out."""

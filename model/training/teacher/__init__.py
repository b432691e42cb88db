"""Another detector, and what it says about the photographs."""

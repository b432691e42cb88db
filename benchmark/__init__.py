"""Measuring: WIDER FACE's protocol, AP on any labelled set, drift, the report and its gate, devices."""

"""AP on labelled sets, drift between two models, WIDER FACE's protocol."""

"""From counted instructions to predicted latencies, clearly called so."""

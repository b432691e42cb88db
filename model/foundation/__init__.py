"""The ground floor: errors, artefacts and their records, the command line, progress, the cache."""

"""The six enemies: `stats` holds their figures, and one file each says what it does."""

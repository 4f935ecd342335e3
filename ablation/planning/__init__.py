"""What a sweep would do, before anything is spent: work, cost, disk, and what else differs between a factor's levels."""

from tests.operators.conftest import chain_of_every_family, make_operator

__all__ = ["chain_of_every_family", "make_operator"]

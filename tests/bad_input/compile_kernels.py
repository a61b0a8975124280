"""Bad input of compile_kernels."""

from skfact import compile_kernels
from tests.bad_input.cases import refused

refused(
    "compile_kernels: an unknown subpackage",
    compile_kernels,
    ["relu", "rele"],
    error=ValueError,
    message="subpackages must be among.*got 'rele'",
)
refused(
    "compile_kernels: an unknown dtype",
    lambda dtypes: compile_kernels("relu", dtypes=dtypes),
    "float16",
    error=ValueError,
    message="dtypes must be among.*got 'float16'",
)

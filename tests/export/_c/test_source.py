"""C source: compiled without a warning by the system's compiler, and equal to `apply`."""

import ctypes
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._inputs import is_complex_dtype
from skfact.export import to_c
from skfact.export._c.names import owner_of
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain
from tests.asserts import for_each
from tests.export.examples import KINDS, make, samples

compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
HEADERS = """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg
    stdbool stddef stdint stdio stdlib string tgmath time wchar wctype
"""
needs_compiler = pytest.mark.skipif(compiler is None, reason="there is no C compiler")
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wmissing-prototypes"]


def compiled(source, folder, *options, language="c"):
    """Compile so that each warning is an error; the path of what was made."""
    (folder / "source.c").write_text(source)
    made = folder / "made.so"
    subprocess.run(
        [compiler, "-x", language, *options, "-Werror", "-o", made, folder / "source.c"], check=True
    )
    return made


def function_of(source, folder, name="apply_operator", options=("-O1",)):
    """The function, of arrays of rows."""
    library = ctypes.CDLL(str(compiled(source, folder, *STRICT, *options, "-shared", "-fPIC")))
    n_out, memory = (
        int(re.search(rf"#define {name.upper()}_{what} (\d+)", source)[1])
        for what in ("N_OUT", "WORK")
    )
    function = getattr(library, name)
    function.restype = None

    def apply(X):
        real = X.real.dtype
        Y, work = np.full((len(X), n_out), np.nan, real), np.full(memory, np.nan, real)
        guard = np.full(3, np.nan, real)
        Y = np.concatenate([Y.ravel(), guard])
        X = np.ascontiguousarray(X)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (X, Y, work)]
        function(*pointers[:2], ctypes.c_size_t(len(X)), pointers[2])
        assert np.isnan(Y[-3:]).all(), "written beyond the last row"
        Y = Y[:-3].reshape(len(X), n_out)
        return Y.view(X.dtype)

    return apply


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@for_each("kind", KINDS)
def test_the_function_computes_what_apply_does(kind, dtype, tmp_path_factory):
    operator = make(kind, dtype)
    function = function_of(to_c(operator), tmp_path_factory.mktemp("c"))
    for batch in (1, 8, 13):
        X = samples(operator, (batch,))
        expected = operator.apply(X)
        found = function(X)
        assert found.dtype == expected.dtype
        atol = 50 * np.finfo(dtype).eps * np.abs(expected).max()
        assert_allclose(found, expected, rtol=0, atol=atol)
    function(samples(operator, (1,))[:0])  # of no row


@needs_compiler
@for_each("language", ["c", "c++"])
def test_no_compiler_warns(language, tmp_path):
    if language == "c++" and subprocess.run([compiler, "-x", "c++", "-E", "/dev/null"]).returncode:
        pytest.skip("the compiler knows no C++")
    sources = [to_c(make(kind), name=f"map_{i}") for i, kind in enumerate(KINDS)]
    together = "\n".join(sources)  # their names do not collide
    options = STRICT if language == "c" else ["-pedantic", "-Wall", "-Wextra", "-Wconversion"]
    for optimization in ("-O0", "-O3"):
        compiled(together, tmp_path, *options, optimization, "-c", language=language)


@needs_compiler
def test_the_test_in_the_file(tmp_path):
    """It passes, under the sanitizers where the system has them, and fails for a wrong number."""
    checked = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }\n")
    probe = [compiler, *checked, tmp_path / "empty.c", "-o", tmp_path / "empty"]
    if subprocess.run(probe, capture_output=True).returncode:
        checked = []
    for dtype in ("float32", "complex128"):
        names = [f"f{i}" for i in range(len(KINDS))]
        sources = [to_c(make(kind, dtype), name=name) for kind, name in zip(KINDS, names)]
        programs = [
            source.replace("int main(void)", f"int {name}_main(void)")
            for source, name in zip(sources, names)
        ]
        every = " || ".join(f"{name}_main()" for name in names)  # each gives 0 if it passes
        together = "\n".join([*programs, f"int main(void) {{ return {every}; }}\n"])
        tests = [f"-D{name.upper()}_TEST" for name in names]
        made = compiled(together, tmp_path, "-std=c99", *checked, *tests)
        said = subprocess.run([made], check=True, capture_output=True).stdout.decode()
        assert said.count("largest error") == len(KINDS)
    source = to_c(make("chain"), name="f")
    assert not subprocess.run([compiled(source, tmp_path, "-DF_TEST")]).returncode
    wrong = re.sub(r"(f_expected\[\d+\] = \{\n *)", r"\g<1>1e3 + ", source)
    assert subprocess.run([compiled(wrong, tmp_path, "-DF_TEST")], capture_output=True).returncode


@needs_compiler
def test_complex_arrays_are_passed_behind_a_cast(tmp_path):
    """With i as the only entry: 1 + 2i becomes -2 + i."""
    source = (
        to_c(FactorizedOperator([np.array([[1j]])]), name="turned")
        + """
#include <complex.h>
int main(void)
{
    double complex z[1] = {1.0 + 2.0 * I}, w[1];
    double work[TURNED_WORK];
    turned((const double *)z, (double *)w, 1, work);
    return w[0] == -2.0 + 1.0 * I ? 0 : 1;
}
"""
    )
    subprocess.run([compiled(source, tmp_path, *STRICT)], check=True)


@needs_compiler
def test_a_layer_of_a_perceptron_is_the_transpose_of_its_coefficients(tmp_path):
    coefs = make("low rank").T  # (n_in, n_out), as scikit-learn has them
    X = np.random.default_rng(0).standard_normal((3, coefs.shape[0]))
    found = function_of(to_c(coefs.T), tmp_path)(X)
    assert_allclose(found, X @ coefs.toarray(), rtol=0, atol=1e-12)


@needs_compiler
def test_every_number_is_read_back(tmp_path):
    """Diagonal factors of awkward numbers, times one: exact, subnormal ones included."""
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        limits = np.finfo(dtype)
        bits = rng.integers(0, 2 ** (8 * np.dtype(dtype).itemsize - 1), 200, dtype=np.uint64)
        numbers = bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
        special = [limits.max, limits.tiny, limits.smallest_subnormal, -0.0, 0.1, 1e5, 16777217]
        values = np.concatenate([numbers[np.isfinite(numbers)], special]).astype(dtype)
        n = len(values)
        operator = FactorizedOperator([KroneckerFactor(values.reshape(n, 1, 1, 1), (n, 1, 1, 1))])
        function = function_of(to_c(operator), tmp_path)
        assert_array_equal(function(np.ones((1, n), dtype))[0], values)
        tmp_path = tmp_path / "next"
        tmp_path.mkdir()


@needs_compiler
def test_precision_can_be_chosen(tmp_path):
    operator = make("chain")
    function = function_of(to_c(operator, dtype="float32"), tmp_path)
    X = samples(operator).astype("float32")
    assert_allclose(function(X), operator.apply(X), rtol=0, atol=1e-4)


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "map.c"
    path.write_text("old")
    source = to_c(make("chain"), path)
    assert path.read_text() == source and source.isascii()
    with pytest.raises(OSError, match="nowhere"):
        to_c(make("chain"), tmp_path / "nowhere" / "map.c")
    assert [file.name for file in tmp_path.iterdir()] == ["map.c"]


def test_same_operator_same_source():
    for kind in KINDS:
        assert to_c(make(kind)) == to_c(make(kind))


def test_sources_say_nothing_of_the_machine(tmp_path):
    source = to_c(make("chain"), tmp_path / "map.c")
    assert str(tmp_path) not in source and sys.prefix not in source


NAMES = ["f", "A1", "my_map", "hadamard_1024", "toeplitz", "isometry", "m", "memory_map", "dct_8"]


@needs_compiler
def test_names(tmp_path):
    """With these names a program compiles, that which tests the file included."""
    for name in NAMES:
        source = to_c(make("chain"), name=name)
        assert f"void {name}(const double *x" in source
        subprocess.run([compiled(source, tmp_path, *STRICT, f"-D{name.upper()}_TEST")], check=True)


@needs_compiler
@for_each("standard", ["c99", "c11"])
def test_names_of_the_library_are_known(standard, tmp_path):
    """Functions and macros that the headers of the system have."""
    headers = "".join(f"#include <{header}.h>\n" for header in HEADERS.split())
    (tmp_path / "headers.c").write_text(headers)

    def preprocessed(*options):
        call = [compiler, f"-std={standard}", "-E", "-P", *options, tmp_path / "headers.c"]
        return subprocess.run(call, capture_output=True, check=True, text=True).stdout

    names = re.findall(r"#define ([A-Za-z]\w*)", preprocessed("-dM"))
    names += re.findall(r"\bextern\b[^;(]*?\b([A-Za-z]\w*)\s*\(", preprocessed())
    names = {name for name in names if "__" not in name}
    assert len(names) > 300
    assert not [name for name in sorted(names) if owner_of(name) is None]


def test_butterflies_have_few_lines_of_code():
    """Loops have a length that does not grow with the operator."""
    rng = np.random.default_rng(0)
    lengths = []
    for n in (256, 1024):
        factors = [
            KroneckerFactor(rng.standard_normal((p.a, p.d, p.b, p.c)), p)
            for p in Chain.monarch(n, n)
        ]
        lines = to_c(FactorizedOperator(factors)).splitlines()
        lengths.append(sum(not line.startswith("    ") or "{" in line for line in lines))
    assert lengths[0] == lengths[1]


def test_arrays_of_other_libraries_are_written(asarray):
    operator = make("chain")
    moved = operator.to_device(asarray(np.ones(1)))
    assert to_c(moved) == to_c(operator)
    assert not is_complex_dtype(operator.dtype)

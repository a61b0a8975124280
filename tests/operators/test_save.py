"""Files: what was saved comes back, and nothing else ever does."""

import io
import json
import os
import pathlib
import stat
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
import scipy.sparse

from skfact._inputs import is_numpy
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation, SparseFactor
from skfact.operators._save import FORMATS
from skfact.supports import Chain
from tests.arrays import DTYPES
from tests.asserts import for_each


def mixture(dtype="float64"):
    rng = np.random.default_rng(0)
    factors = [
        PartialPermutation([1, -1, 0], 4),
        KroneckerFactor(rng.standard_normal((2, 1, 2, 3)).astype(dtype), (2, 2, 3, 1)),
        SparseFactor(scipy.sparse.random_array((6, 5), density=0.5, rng=rng).astype(dtype)),
        np.asfortranarray(rng.standard_normal((5, 2))).astype(dtype),
    ]
    return FactorizedOperator(factors)


def assert_same(got, op):
    assert repr(got) == repr(op)
    assert [repr(factor) for factor in got.factors] == [repr(factor) for factor in op.factors]
    np.testing.assert_array_equal(got.toarray(), op.toarray())


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(dtype, tmp_path):
    op = mixture(dtype)
    op.save(tmp_path / "operator.npz")
    assert_same(FactorizedOperator.load(tmp_path / "operator.npz"), op)


@for_each("permuted", [False, True])
def test_round_trip_of_every_family(chain, permuted, tmp_path, make_operator):
    op = make_operator(chain, "complex64", permuted=permuted)
    op.save(tmp_path / "operator")
    assert_same(FactorizedOperator.load(tmp_path / "operator"), op)


def test_round_trip_from_every_library(asarray, tmp_path, make_operator):
    host = make_operator(Chain.butterfly(6), permuted=True)
    host.to_device(asarray(np.ones(1))).save(tmp_path / "operator")
    got = FactorizedOperator.load(tmp_path / "operator")
    assert is_numpy(got._namespace)
    assert_same(got, host)


def test_round_trip_of_selections_and_transposes(tmp_path):
    for op in (
        FactorizedOperator([PartialPermutation([0, -1], 3)]).astype("float32"),
        mixture().T,
        mixture("complex64").H,
    ):
        op.save(tmp_path / "operator")
        got = FactorizedOperator.load(tmp_path / "operator")
        assert got.dtype == op.dtype
        assert_same(got, op)


def test_exactly_the_path_that_was_given(tmp_path):
    for path in (tmp_path / "no suffix", str(tmp_path / "other.suffix")):
        mixture().save(path)
        assert_same(FactorizedOperator.load(path), mixture())
    assert sorted(os.listdir(tmp_path)) == ["no suffix", "other.suffix"]
    with pytest.raises(FileNotFoundError):
        FactorizedOperator.load(tmp_path / "missing")
    for call in (FactorizedOperator.load, mixture().save):
        with pytest.raises(TypeError, match="path must be a str or path-like, got None"):
            call(None)


def other():
    return FactorizedOperator([np.full((40, 40), 3.0)])


LIMITED = """
import resource, signal, sys
import numpy as np
from skfact.operators import FactorizedOperator
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    FactorizedOperator([np.ones((40, 40))]).save(sys.argv[1])
except OSError as error:
    print("refused:", error)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="limits of POSIX")
def test_a_file_that_grows_too_large(tmp_path):
    mixture().save(tmp_path / "old")
    before = (tmp_path / "old").read_bytes()
    for name in ("old", "new"):
        command = [sys.executable, "-c", LIMITED, str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "refused" in done.stdout
        if sys.version_info >= (3, 11, 4):  # earlier ones leave a traceback in the end of a ZipFile
            assert done.stderr == ""
    assert (tmp_path / "old").read_bytes() == before
    assert os.listdir(tmp_path) == ["old"]


@for_each("error", [KeyboardInterrupt, OSError, MemoryError])
@for_each("step", ["numpy.savez", "os.fsync", "os.replace"])
def test_whatever_fails_the_old_operator_stays(error, step, tmp_path, monkeypatch):
    mixture().save(tmp_path / "old")

    def fail(file, *_, **__):
        if step == "numpy.savez":
            file.write(b"half of it")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        for name in ("old", "new"):
            with pytest.raises(error):
                other().save(tmp_path / name)
    assert os.listdir(tmp_path) == ["old"]
    assert_same(FactorizedOperator.load(tmp_path / "old"), mixture())


def test_a_factor_that_cannot_be_described(tmp_path, monkeypatch):
    mixture().save(tmp_path / "old")
    monkeypatch.setattr(KroneckerFactor, "_described", lambda factor: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        other().save(tmp_path / "old")
    monkeypatch.undo()
    assert_same(FactorizedOperator.load(tmp_path / "old"), mixture())


def test_links_stay_and_lead_to_the_new_operator(tmp_path):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    (tmp_path / "near").symlink_to(pathlib.Path("folder") / "target")
    (tmp_path / "far").symlink_to(tmp_path / "near")
    for op in (mixture(), other()):  # a link that leads nowhere yet, then one to a file
        op.save(tmp_path / "far")
        assert (tmp_path / "near").is_symlink()
        assert (tmp_path / "far").is_symlink()
        assert not target.is_symlink()
        assert_same(FactorizedOperator.load(target), op)
    assert os.listdir(tmp_path / "folder") == ["target"]


@for_each("mode", [0o600, 0o640, 0o755])
def test_permissions_stay(mode, tmp_path):
    (tmp_path / "operator").unlink(missing_ok=True)
    mixture().save(tmp_path / "operator")
    (tmp_path / "plain").touch()
    usual = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "operator").stat().st_mode) == usual
    (tmp_path / "operator").chmod(mode)
    other().save(tmp_path / "operator")
    assert stat.S_IMODE((tmp_path / "operator").stat().st_mode) == mode


def test_a_file_that_may_only_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "operator").touch()
    modes, real = [], os.open
    monkeypatch.setattr(os, "open", lambda path, flags: modes.append(flags) or real(path, flags))
    mixture().save(tmp_path / "operator")
    assert modes == [os.O_WRONLY]


def test_where_no_file_can_be(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "missing" / "operator", tmp_path / "loop", f"{tmp_path}/a/"):
        with pytest.raises(OSError, match=str(path)):
            mixture().save(path)
    with pytest.raises(OSError, match="No such file"):
        mixture().save("")
    assert os.listdir(tmp_path) == ["loop"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_pipes_are_written_to_and_not_read_from(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="no regular file"):
        FactorizedOperator.load(pipe)  # at once: nobody writes to it
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    mixture().save(pipe)
    reader.join(60)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert_same(load_bytes(received[0], tmp_path), mixture())
    assert sorted(os.listdir(tmp_path)) == ["bad", "pipe"]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="devices of Linux")
def test_devices(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    for path in ("/dev/zero", "/dev/null", "/dev/urandom", link):
        with pytest.raises(ValueError, match="no regular file"):
            FactorizedOperator.load(path)
    other().save("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left"):
            other().save("/dev/full")
    with pytest.raises(OSError, match="directory"):
        FactorizedOperator.load(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="open files of Linux")
def test_an_open_file_without_a_name(tmp_path):
    with open(tmp_path / "gone", "w+b") as file:
        os.unlink(tmp_path / "gone")
        mixture().save(f"/dev/fd/{file.fileno()}")
        file.seek(0)
        assert_same(load_bytes(file.read(), tmp_path), mixture())
    assert os.listdir(tmp_path) == ["bad"]


def test_numpy_can_read_the_file_without_pickle(tmp_path):
    mixture().save(tmp_path / "operator.npz")
    with np.load(tmp_path / "operator.npz", allow_pickle=False) as arrays:
        assert arrays["factor1_values"].shape == (2, 1, 2, 3)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "operator.npz"
    mixture().save(path)
    return path.read_bytes()


def load_bytes(content: bytes, folder: pathlib.Path) -> FactorizedOperator:
    path = folder / "bad"
    path.write_bytes(content)
    return FactorizedOperator.load(path)


def test_truncated_anywhere(good, tmp_path):
    for length in [*range(0, len(good), 41), *range(len(good) - 30, len(good))]:
        with pytest.raises(ValueError, match="no readable operator"):
            load_bytes(good[:length], tmp_path)


def right_or_refused(content: bytes, folder: pathlib.Path) -> bool:
    """Whether it loads, and then as the right operator; anything but a ValueError gets out."""
    try:
        got = load_bytes(content, folder)
    except ValueError:
        return False
    assert_same(got, mixture())
    return True


@pytest.mark.parametrize("flip", [0x01, 0x10, 0x80, 0xFF])
def test_one_byte_changed_anywhere(good, tmp_path, flip):
    """A right operator (the byte did not matter, a time stamp for one) or a ValueError."""
    refused = 0
    places = range(flip % 3, len(good), 3)
    for place in places:
        bad = bytearray(good)
        bad[place] ^= flip
        refused += not right_or_refused(bytes(bad), tmp_path)
    assert refused > 0.8 * len(places)


def test_random_damage(good, tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), 8):
            bad[place] = rng.integers(256)
        right_or_refused(bytes(bad), tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", bytes(1000), b"\x93NUMPY" + bytes(90)])
def test_other_files(content, tmp_path):
    with pytest.raises(ValueError, match="not written by"):
        load_bytes(content, tmp_path)


HEADER = {
    "format": FORMATS["product"],
    "version": 1,
    "dtype": "float64",
    "factors": [{"kind": "kronecker", "pattern": [1, 2, 3, 1]}],
}
VALUES = np.ones((1, 1, 2, 3))


def npy(array, **claims):
    """A .npy member, with a header that may claim something else."""
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape} | claims
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


def archive(header=HEADER, members=None, compression=zipfile.ZIP_STORED, **changes):
    members = {"factor0_values.npy": npy(VALUES)} if members is None else members
    text = header if isinstance(header, str) else json.dumps({**header, **changes})
    members = {"header.npy": npy(np.frombuffer(text.encode(), np.uint8)), **members}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return stream.getvalue()


def factor(**description):
    return {"factors": [description]}


def test_the_forged_archives_are_good_but_for_what_is_forged(tmp_path):
    np.testing.assert_array_equal(load_bytes(archive(), tmp_path).toarray(), np.ones((2, 3)))


SPARSE = {"kind": "sparse", "shape": [2, 3], "nnz": 2}


def sparse_members(data=(1.0, 2.0), indices=(0, 2), indptr=(0, 1, 2)):
    parts = {"data": np.array(data), "indices": np.array(indices), "indptr": np.array(indptr)}
    return {f"factor0_{name}.npy": npy(part) for name, part in parts.items()}


FORGED = {
    "huge pattern": archive(**factor(kind="kronecker", pattern=[1, 10**8, 10**7, 1])),
    "huge shape in the member": archive(
        members={"factor0_values.npy": npy(VALUES, shape=(1, 1, 10**8, 10**7))}
    ),
    "huge shape in both": archive(
        members={"factor0_values.npy": npy(VALUES, shape=(1, 1, 10**8, 10**7))},
        **factor(kind="kronecker", pattern=[1, 10**8, 10**7, 1]),
    ),
    "negative shape": archive(members={"factor0_values.npy": npy(VALUES, shape=(1, 1, -2, -3))}),
    "shape of other length": archive(members={"factor0_values.npy": npy(VALUES, shape=(6,))}),
    "bytes left over": archive(members={"factor0_values.npy": npy(VALUES) + bytes(8)}),
    "bytes missing": archive(members={"factor0_values.npy": npy(VALUES)[:-8]}),
    "wrong dtype": archive(members={"factor0_values.npy": npy(VALUES.astype("float32"))}),
    "dtype of the same size": archive(members={"factor0_values.npy": npy(VALUES.view("int64"))}),
    "object array": archive(members={"factor0_values.npy": npy(VALUES, descr="|O")}),
    "structured array": archive(members={"factor0_values.npy": npy(VALUES, descr=[("a", "<f8")])}),
    "Fortran order": archive(members={"factor0_values.npy": npy(VALUES, fortran_order=True)}),
    "no array": archive(members={"factor0_values.npy": b"hello"}),
    "version of .npy": archive(members={"factor0_values.npy": b"\x93NUMPY\x03" + npy(VALUES)[7:]}),
    "missing member": archive(members={}),
    "additional member": archive(
        members={"factor0_values.npy": npy(VALUES), "more.npy": npy(VALUES)}
    ),
    "compressed": archive(compression=zipfile.ZIP_DEFLATED),
    "zip bomb": archive(
        members={"factor0_values.npy": npy(np.zeros((1, 1, 1000, 1000)))},
        compression=zipfile.ZIP_DEFLATED,
        **factor(kind="kronecker", pattern=[1, 1000, 1000, 1]),
    ),
    "header is a number": archive("3"),
    "header is no JSON": archive("{"),
    "header is nested deeply": archive("[" * 100_000),
    "header is a list": archive("[1]"),
    "format": archive(format="other"),
    "version": archive(version=2),
    "no version": archive(json.dumps({"format": FORMATS["product"]})),
    "operator dtype": archive(dtype="object"),
    "operator dtype of a list": archive(dtype=["float64"]),
    "float16": archive(dtype="float16"),
    "no terms": archive(format=FORMATS["sum"]),
    "terms that are no list": archive(format=FORMATS["sum"], terms=3),
    "terms of text": archive(format=FORMATS["sum"], terms="1"),
    "terms without factors": archive(format=FORMATS["sum"], terms=[1, 0]),
    "fewer terms": archive(format=FORMATS["sum"], terms=[]),
    "more terms": archive(format=FORMATS["sum"], terms=[1, 1]),
    "terms of huge numbers": archive(format=FORMATS["sum"], terms=[10**30]),
    "terms below zero": archive(format=FORMATS["sum"], terms=[2, -1]),
    "terms of bools": archive(format=FORMATS["sum"], terms=[True]),
    "no factors": archive(factors=[], members={}),
    "factors is a number": archive(factors=3),
    "factor is a number": archive(factors=[3]),
    "unknown kind": archive(**factor(kind="other", shape=[2, 3])),
    "no kind": archive(**factor(pattern=[1, 2, 3, 1])),
    "pattern of three": archive(**factor(kind="kronecker", pattern=[2, 3, 1])),
    "pattern with zero": archive(**factor(kind="kronecker", pattern=[1, 2, 3, 0])),
    "pattern with floats": archive(**factor(kind="kronecker", pattern=[1, 2.0, 3, 1])),
    "pattern of another shape": archive(**factor(kind="kronecker", pattern=[1, 3, 2, 1])),
    "factors that do not fit": archive(
        factors=2 * HEADER["factors"],
        members={"factor0_values.npy": npy(VALUES), "factor1_values.npy": npy(VALUES)},
    ),
    "selection out of range": archive(
        members={"factor0_index.npy": npy(np.array([0, 9]))},
        **factor(kind="selection", shape=[2, 3]),
    ),
    "selection taken twice": archive(
        members={"factor0_index.npy": npy(np.array([1, 1]))},
        **factor(kind="selection", shape=[2, 3]),
    ),
    "selection of another length": archive(
        members={"factor0_index.npy": npy(np.array([0]))}, **factor(kind="selection", shape=[2, 3])
    ),
    "shape of a string": archive(
        members={"factor0_index.npy": npy(np.array([0]))}, **factor(kind="selection", shape="11")
    ),
    "sparse column out of range": archive(members=sparse_members(indices=(0, 3)), factors=[SPARSE]),
    "sparse negative column": archive(members=sparse_members(indices=(0, -1)), factors=[SPARSE]),
    "sparse rows that decrease": archive(
        members=sparse_members(indptr=(0, 3, 2)), factors=[SPARSE]
    ),
    "sparse rows beyond the entries": archive(
        members=sparse_members(indptr=(0, 1, 9)), factors=[SPARSE]
    ),
    "sparse nnz": archive(members=sparse_members(), factors=[SPARSE | {"nnz": 10**15}]),
    "sparse negative nnz": archive(members=sparse_members(), factors=[SPARSE | {"nnz": -1}]),
    "sparse rows": archive(members=sparse_members(), factors=[SPARSE | {"shape": [10**15, 3]}]),
}


@for_each("name", FORGED)
def test_forged_files(name, tmp_path):
    with pytest.raises(ValueError, match="no readable operator"):
        load_bytes(FORGED[name], tmp_path)


def test_the_forged_sparse_factor_is_good_but_for_what_is_forged(tmp_path):
    got = load_bytes(archive(members=sparse_members(), factors=[SPARSE]), tmp_path)
    np.testing.assert_array_equal(got.toarray(), [[1, 0, 0], [0, 0, 2]])


def test_members_that_share_their_bytes(tmp_path):
    """Overlapping members, which make a small file seem large, are refused by their sum."""
    size = 4000
    values = npy(np.ones((1, 1, 1, size)))
    content = archive(
        members={f"factor{i}_values.npy": values if i == 0 else b"" for i in range(4)},
        factors=4 * [{"kind": "kronecker", "pattern": [1, 1, size, 1]}],
    )
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream) as file:
        first = file.getinfo("factor0_values.npy")
        central = {
            e.filename: (first.header_offset, first.CRC, first.file_size) for e in file.infolist()
        }
    bad = bytearray(content)
    for name, (offset, crc, length) in central.items():
        if name.startswith("factor"):
            start = content.rindex(name.encode()) - 46  # its entry in the central directory
            bad[start + 16 : start + 28] = b"".join(
                number.to_bytes(4, "little") for number in (crc, length, length)
            )
            bad[start + 42 : start + 46] = offset.to_bytes(4, "little")
    with pytest.raises(ValueError, match="larger than the file"):
        load_bytes(bytes(bad), tmp_path)

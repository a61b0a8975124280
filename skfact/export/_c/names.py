"""What no function of C may be called: words of the language, its library, and the file."""

from __future__ import annotations

import re
from typing import Any

# of C23 and C++23: what is none in C99 may be one where the file is used next
KEYWORDS = """
    alignas alignof and and_eq asm atomic auto bitand bitor bool break case catch char char16_t
    char32_t char8_t class co_await co_return co_yield compl complex concept const const_cast
    consteval constexpr constinit continue decltype default delete do double dynamic_cast else enum
    explicit export extern false float for friend goto if imaginary import inline int long main
    module mutable namespace new noexcept noreturn not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast requires restrict return short signed sizeof
    static static_assert static_cast struct switch template this thread_local throw true try
    typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile
    while xor xor_eq
"""

# of the library, each also with f or l at its end, for float and long double
MATHEMATICS = """
    acos acosh asin asinh atan atan2 atanh cabs cacos cacosh canonicalize carg casin casinh catan
    catanh cbrt ccos ccosh ceil cexp cimag clog clog10 conj copysign cos cosh cpow cproj creal csin
    csinh csqrt ctan ctanh drem erf erfc exp exp10 exp2 expm1 fabs fdim finite floor fma fmax
    fmaximum fmin fminimum fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn ldexp lgamma llogb
    llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nextdown
    nexttoward nextup pow remainder remquo rint round roundeven scalb scalbln scalbn significand sin
    sincos sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""

# functions of C's library, and its names in small letters for other things
LIBRARY = """
    abort abs aligned_alloc asctime assert at_quick_exit atexit atof atoi atol atoll bsearch btowc
    c16rtomb c32rtomb c8rtomb call_once calloc clearerr clock ctime difftime div errno exit fclose
    feclearexcept fegetenv fegetexceptflag fegetmode fegetround feholdexcept feof feraiseexcept
    ferror fesetenv fesetexcept fesetexceptflag fesetmode fesetround fetestexcept fetestexceptflag
    feupdateenv fflush fgetc fgetpos fgets fgetwc fgetws fopen fpclassify fprintf fputc fputs fputwc
    fputws fread free freopen fscanf fseek fsetpos ftell fwide fwprintf fwrite fwscanf getc getchar
    getenv gets getwc getwchar gmtime imaxabs imaxdiv isalnum isalpha isblank iscanonical iscntrl
    isdigit iseqsig isfinite isgraph isgreater isgreaterequal isless islessequal islessgreater
    islower isnormal isprint ispunct issignaling isspace issubnormal isunordered isupper iswalnum
    iswalpha iswblank iswcntrl iswctype iswdigit iswgraph iswlower iswprint iswpunct iswspace
    iswupper iswxdigit isxdigit iszero kill_dependency labs ldiv llabs lldiv localeconv localtime
    longjmp malloc math_errhandling mblen mbrlen mbrtoc16 mbrtoc32 mbrtoc8 mbrtowc mbsinit mbsrtowcs
    mbstowcs mbtowc memccpy memchr memcmp memcpy memmove memset memset_explicit mktime offsetof
    perror printf putc putchar puts putwc putwchar qsort quick_exit raise rand realloc remove rename
    rewind scanf setbuf setjmp setlocale setvbuf signal signbit snprintf sprintf srand sscanf stderr
    stdin stdout strcat strchr strcmp strcoll strcpy strcspn strdup strerror strfromd strfromf
    strfroml strftime strlen strncat strncmp strncpy strndup strpbrk strrchr strspn strstr strtod
    strtof strtoimax strtok strtol strtold strtoll strtoul strtoull strtoumax strxfrm swprintf
    swscanf system time timegm tmpfile tmpnam tolower toupper towctrans towlower towupper ungetc
    ungetwc unreachable va_arg va_copy va_end va_start vfprintf vfscanf vfwprintf vfwscanf vprintf
    vscanf vsnprintf vsprintf vsscanf vswprintf vswscanf vwprintf vwscanf wcrtomb wcscat wcschr
    wcscmp wcscoll wcscpy wcscspn wcsftime wcslen wcsncat wcsncmp wcsncpy wcspbrk wcsrchr wcsrtombs
    wcsspn wcsstr wcstod wcstof wcstoimax wcstok wcstol wcstold wcstoll wcstombs wcstoul wcstoull
    wcstoumax wcsxfrm wctob wctomb wctrans wctype wmemchr wmemcmp wmemcpy wmemmove wmemset wprintf
    wscanf
"""

# what most systems have beside it: functions, and what compilers define when they are not strict
SYSTEM = """
    accept access acct alarm alloca bcmp bcopy bind brk bzero chdir chmod chown chroot clone close
    closedir connect creat crypt daemon dprintf drand48 dup dup2 endpwent environ execl execle
    execlp execv execve execvp fchdir fchmod fchown fcntl fdopen ffs ffsl ffsll fileno flock fork
    fstat fsync ftruncate gcvt getcwd getdelim getegid geteuid getgid getline getopt getpagesize
    getpid getppid gettimeofday getuid getw i386 index ioctl isascii isatty kill killpg link linux
    listen lockf lrand48 lseek lstat mkdir mkfifo mknod mkstemp mktemp mmap mount munmap nanosleep
    nice open openat opendir optarg opterr optind optopt pause pclose pipe poll popen pread putenv
    putw pwrite random random_r read readdir readlink readv realpath recv recvfrom recvmsg rindex
    rmdir sbrk scandir select send sendmsg sendto setbuffer setenv setgid setpgid setsid setuid
    shutdown sigaction signgam sigpending sigprocmask sigwait sleep socket srand48 srandom stat
    stpcpy stpncpy strcasecmp strncasecmp strnlen strsep strsignal strtok_r symlink sync syscall
    sysconf tcgetattr tempnam toascii truncate ttyname tzset ulimit umask uname unix unlink unsetenv
    usleep utime utimes valloc vfork wait wait3 wait4 waitpid write writev
"""

# families of names of both, and constants
FAMILIES = (
    "(atomic|cnd|mtx|thrd|tss|stdc|pthread|sched|sem|posix|clock|timespec|dl)_[a-z0-9_]+",
    "dl(open|sym|close|error)",
    "f(max|min)imum_(mag|num|mag_num)[fl]?|[fd](add|sub|mul|div|fma|sqrt)l?|u?fromfpx?[fl]?",
    "[a-z0-9_]+_(t|unlocked)",
    "(asctime|ctime|gmtime|lgamma|localtime|rand|readdir|strerror|strtok|ttyname)_r",
    "(W?EOF|NULL|BUFSIZ|I|NAN|INFINITY|MB_CUR_MAX|L_tmpnam|FILE|DIR|DECIMAL_DIG|CHAR_BIT|E[A-Z0-9]+)",
    "(EXIT|SEEK|LC|FE|FP|FLT|DBL|LDBL|DEC[0-9]*|MATH|HUGE|ATOMIC|TIME|TSS|M)_[A-Z0-9_]+",
    "(SIG|SIG_|PRI[a-zX]|SCN[a-z])[A-Z0-9]+",
    "[A-Z0-9_]+_(MAX|MIN|WIDTH)|U?INT[A-Z0-9]+_C|ONCE_FLAG_INIT|CLOCKS_PER_SEC",
    "CMPLX[FL]?",
)

# arguments and variables of the file
VARIABLES = """
    batch e error from i j k l largest n off r result sum t to v work x y
"""

WORDS = {
    "a word of C or C++": KEYWORDS.split(),
    "a name of the library of C or of the system, which programs may need": [
        *(LIBRARY + SYSTEM).split(),
        *(name + end for name in MATHEMATICS.split() for end in ("", "f", "l")),
    ],
    "that of a variable in the file": VARIABLES.split(),
}
OWNERS = {name: owner for owner, names in WORDS.items() for name in names}


def check_name(name: Any) -> None:
    """Raise unless a function of C and C++ may be called so in any program."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, got {name!r}.")
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) or "__" in name:
        raise ValueError(
            "name must be a C identifier: a letter, then letters, digits and single underscores, "
            f"got {name!r}."
        )
    owner = owner_of(name)
    if owner:
        raise ValueError(f"name must not be {owner}, got {name!r}: take another one.")


def owner_of(name: str) -> str | None:
    """Who has this name already."""
    if any(re.fullmatch(family, name) for family in FAMILIES):
        return OWNERS["malloc"]
    return OWNERS.get(name)

"""Check what a build exports: fz_ names from the library, the module's own from the extension."""

import subprocess
import sys
from pathlib import Path


def exported(path: Path) -> set[str]:
    """Names that a shared object defines for others."""
    lines = subprocess.run(["nm", "-D", "--defined-only", path], check=True, capture_output=True, text=True)
    return {line.split()[-1].split("@")[0] for line in lines.stdout.splitlines()}


def unexpected(build: Path) -> dict[str, set[str]]:
    """What each shared object of the build exports but should not."""
    library = next(path for path in build.glob("libforzium.so*") if path.is_file() and not path.is_symlink())
    extension = next((build / "python").glob("_core*.so"))
    return {
        library.name: {
            name for name in exported(library) if not name.startswith("fz_") or name.startswith("fz__")
        },
        extension.name: exported(extension) - {"PyInit__core"},
    }


def main() -> None:
    wrong = {name: sorted(names) for name, names in unexpected(Path(sys.argv[1])).items() if names}
    if wrong:
        sys.exit(f"exported by mistake: {wrong}")
    print("symbols: only fz_ names and PyInit__core are exported")


if __name__ == "__main__":
    main()

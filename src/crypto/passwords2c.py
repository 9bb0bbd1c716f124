#!/usr/bin/env python3
"""passwords2c: the table of words that are tried first when passwords are guessed: X(first 8 bytes of SHA-256), in order.

The words come from the Python package zxcvbn (requirements.txt, which script/setup installs): leaked passwords, names, words of films and
of English. Those under 8 letters are refused by their length. Only hashes go into the program, so that nobody has to explain its strings.

usage: passwords2c.py OUTPUT"""
import hashlib
import pathlib
import sys

SHORTEST, LONGEST, FEWEST = 8, 128, 20_000


def words():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / ".python"))
    try:
        from zxcvbn.frequency_lists import FREQUENCY_LISTS
    except ImportError:
        sys.exit("passwords2c: the Python package zxcvbn is missing: script/setup")
    return {w.lower() for some in FREQUENCY_LISTS.values() for w in some if SHORTEST <= len(w) <= LONGEST and w.isascii()}


def main():
    numbers = sorted({int.from_bytes(hashlib.sha256(w.encode()).digest()[:8], "big") for w in words()})
    if len(numbers) < FEWEST:
        sys.exit(f"passwords2c: only {len(numbers)} words in zxcvbn")
    with open(sys.argv[1], "w") as out:
        out.write("/* Made by passwords2c.py. */\n")
        out.writelines(f"X(UINT64_C(0x{n:016x}))\n" for n in numbers)


if __name__ == "__main__":
    main()

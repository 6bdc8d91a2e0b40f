#!/bin/sh
# ossp in one file: this script, then the Deno runtime and the bundled program, each compressed.
# The first start unpacks them into a cache folder, every start runs them from there. The program
# takes this process over (exec), so pid, signals, descriptors, folder and status are one.
#
# Needs a POSIX sh whose test knows -O (dash, busybox, bash, ksh, zsh), and coreutils and gzip or
# busybox in their place.
#
# A file's place is BASE/HASH/NAME, with a hash of the content: what is there never changes. BASE is
# the first of these that can be written to, has room and is not mounted noexec:
#   /var/cache/ossp             where the caller owns /var/cache: root, whose HOME may be a user's;
#                               all may read it, since root runs the program for other users too
#   $XDG_CACHE_HOME/ossp        where that is an absolute path
#   $HOME/.cache/ossp           where the caller owns HOME
#   ${TMPDIR:-/tmp}/ossp-UID
set -u

# Written by self_extracting.ts: the offset of the payload in this file, the folders of the runtime
# and of the program, the unpacked files' modes and sizes, and members COMMAND, which calls COMMAND
# for each of them with its path, mode, size, SHA-256 and offset and length in the payload, in bytes.
@TABLE@

EX_UNAVAILABLE=69 # of sysexits.h
tried=

main() {
  if [ -O /var/cache ]; then
    try /var/cache/ossp 755 "$@"
  fi
  case ${XDG_CACHE_HOME-} in
    /*) try "$XDG_CACHE_HOME/ossp" 700 "$@" ;;
    *) if [ -n "${HOME-}" ] && [ -O "$HOME" ]; then try "$HOME/.cache/ossp" 700 "$@"; fi ;;
  esac
  try "${TMPDIR:-/tmp}/ossp-$(id -u)" 700 "$@"
  die "cannot unpack: $tried (set XDG_CACHE_HOME to a folder of yours with 150 MB free)"
}

# try BASE MODE ARG...: runs the program from there; returns where that cannot be. The mode is for a
# folder that is made.
try() {
  base=$1
  base_mode=$2
  shift 2
  if ! ready; then
    reason=$(unpack)
    case $? in
      0) ;;
      "$EX_UNAVAILABLE") exit "$EX_UNAVAILABLE" ;;
      *)
        tried="$tried${tried:+, }$base: $reason"
        return
        ;;
    esac
  fi
  # The runtime would look for a newer one of itself on the net.
  export DENO_NO_UPDATE_CHECK=1
  # It wants a folder for its own caches, and by default that is under HOME.
  if [ -z "${HOME-}${XDG_CACHE_HOME-}${DENO_DIR-}" ]; then
    export DENO_DIR="$base/deno-dir"
  fi
  exec "$base/$runtime/deno" run --allow-all --no-config --no-lock \
    "$base/$program/main.js" "$@"
}

# Whether everything is there and nobody else can have put it there. A file gets its name only when
# it is whole, so the size tells enough; it also tells of one that a cleaner of /tmp took away.
ready() {
  private && [ "$contents" = "$expected" ]
}

# Whether base is a folder of the caller's own that nobody else can write to. Leaves the modes and
# sizes of the files in contents.
private() {
  [ -O "$base" ] && [ ! -L "$base" ] || return 1
  # shellcheck disable=SC2046 # one word a file
  set -- $(stat -c %a:%s "$base" "$base/$runtime/deno" \
    "$base/$program/main.js" "$base/$program/worker.js" 2>/dev/null)
  case ${1-} in
    *7[0145][0145]:*) ;;
    *) return 1 ;;
  esac
  shift
  contents=$*
}

# Puts everything in place, for any number of callers at once; run in a subshell. On failure prints
# the reason.
unpack() {
  for tool in chmod gzip head id mkdir mktemp mv rm sha256sum stat sync tail; do
    command -v "$tool" >/dev/null || die "$tool is missing (install coreutils and gzip, or busybox)"
  done
  parent=${base%/*}
  umask 077
  mkdir -p "${parent:-/}" 2>/dev/null
  case $(stat -L -c %u:%a "${parent:-/}" 2>/dev/null) in
    '') fail 'cannot be made' ;;
    # Root's is 65534 in a user namespace without root.
    "$(id -u)":*[0145] | 0:*[0145] | 65534:*[0145]) ;;
    "$(id -u)":[1357]??? | 0:[1357]??? | 65534:[1357]???) ;;
    *) die "$parent: another user can change it (set XDG_CACHE_HOME to a folder of yours)" ;;
  esac
  umask 022
  mkdir -m "$base_mode" "$base" 2>/dev/null
  [ -d "$base" ] || [ -L "$base" ] || fail 'cannot be made'
  private || die "$base: not a folder of yours that only you can write to (remove it)"

  # Left by a run that was killed a day ago or earlier.
  find "$base" -type d -name 'unpack.*' -mtime +0 -prune -exec rm -rf {} + 2>/dev/null
  temporary=$(mktemp -d "$base/unpack.XXXXXX" 2>/dev/null) || fail 'cannot be written to'
  trap 'rm -rf "$temporary"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\n' >"$temporary/probe"
  chmod 555 "$temporary/probe"
  "$temporary/probe" 2>/dev/null || fail 'no program can be run from there'
  if [ -t 2 ]; then
    printf 'ossp: unpacking into %s, this once\n' "$base" >&2
  fi
  members place
}

# place PATH MODE SIZE SHA256 OFFSET LENGTH: makes this file unless it is there.
place() {
  if [ "$(stat -c %a:%s "$base/$1" 2>/dev/null)" = "$2:$3" ]; then
    return
  fi
  file=$temporary/file
  { tail -c "+$((payload + $5 + 1))" "$0" | head -c "$6" | gzip -dc >"$file"; } 2>/dev/null
  if [ "$({ sha256sum <"$file"; } 2>/dev/null)" != "$4  -" ]; then
    fail "$1 did not come out whole: no room there, or this file is damaged"
  fi
  chmod "$2" "$file"
  if [ "$2" = 555 ] && ! "$file" --version >/dev/null 2>&1; then
    die "the runtime does not start on this system (it needs $machine and glibc)"
  fi
  # On disk before it has its name, else a power failure could leave a file of the right size.
  sync "$file" 2>/dev/null || sync
  { mkdir -p "$base/${1%/*}" && mv -f "$file" "$base/$1"; } || fail "$1 cannot be put in place"
}

# Ends the subshell with a reason that leaves other places to try.
fail() {
  printf %s "$1"
  exit 1
}

# Ends the run (a subshell's status is passed on by its caller).
die() {
  printf 'ossp: %s\n' "$1" >&2
  exit "$EX_UNAVAILABLE"
}

main "$@"
exit

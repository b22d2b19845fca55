#!/usr/bin/env bash
# Two-way with a git repository: what is merged there goes in, what is released here comes out. For a CI job of its main
# branch (in), and one that runs every few minutes or after a release (out). They touch different branches: there is no loop.
#
#   sync.sh in CHECKOUT         the files of CHECKOUT/prompts become prompts and versions that are labelled "staging"
#   sync.sh out MIRROR REMOTE   what is labelled "production" becomes the branch "promptory/production" of REMOTE; MIRROR is
#                               a folder of its own, kept from run to run or not
#
# PROMPTORY_URL and PROMPTORY_KEY: of a principal that may write prompts and move "staging" (in), or read everything (out).
set -euo pipefail
promptory=${PROMPTORY:-promptory}
url=${PROMPTORY_URL:?PROMPTORY_URL is not set}
: "${PROMPTORY_KEY:?PROMPTORY_KEY is not set}"

case ${1-} in
    in)
        checkout=${2:?sync.sh in CHECKOUT}
        "$promptory" import dir "$checkout/prompts" --url "$url" --strip-suffix .md --label staging \
            --message "$(git -C "$checkout" log -1 --format='%s (%h)')"
        ;;
    out)
        mirror=${2:?sync.sh out MIRROR REMOTE} remote=${3:?sync.sh out MIRROR REMOTE}
        "$promptory" export git "$mirror" --url "$url" --suffix .md
        if git -C "$mirror" rev-parse --verify --quiet refs/heads/label/production >/dev/null; then
            git -C "$mirror" push --quiet "$remote" refs/heads/label/production:refs/heads/promptory/production
        fi
        ;;
    *)
        sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac

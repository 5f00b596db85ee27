#!/usr/bin/env bash
# Verifies a pack of evidence with bash, openssl (3.0 or newer), jq and GNU coreutils and find:
#
#     bash verify.sh PACK --trust FILE
#
# FILE says whose signatures count. It is no part of the pack, and has to come by another way. Exits with 0 (VALID),
# 5 (VALID, and nobody outside has seen any of it), 4 (INVALID), 3 (INCOMPLETE, or no trust given), 2 (usage).
#
# Checked: the index's signature and form; every file's bytes, and that no file is missing or added; each statement's
# signature and who may sign it; that each leaf of the log names exactly this statement; that the leaves are in a
# checkpoint that the log signed; and who witnessed that very checkpoint. Not checked: that each checkpoint is a
# beginning of the next (verify.py does), so that witnesses of older ones count for nothing here; whether what the
# statements say is true; nor, as `aims pack verify` does, whether a decision saw more, or a witness saw the log before
# a statement's date.
set -u -o pipefail
export LC_ALL=C

usage() { echo "usage: verify.sh PACK --trust FILE" >&2; exit 2; }
[[ $# -eq 1 || ($# -eq 3 && $2 == --trust) ]] || usage
for tool in openssl jq sha256sum base64 find; do
  command -v "$tool" > /dev/null || { echo "INCOMPLETE: $tool is not installed"; exit 3; }
done
[[ -d $1 ]] || usage
[[ $# -eq 3 && -r $3 ]] || { echo "INCOMPLETE: no trust, so that nothing can be said"; exit 3; }
pack=$1 trust=$3 invalid=0 incomplete=0 witnessed=0
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

wrong() { printf 'INVALID  %q: %s\n' "$1" "$2"; invalid=1; }
miss() { echo "MISSING  $1: $2"; incomplete=1; }
# Whatever is computed with has to pass here: bash takes other words for expressions, and runs what is in them.
whole() { [[ $1 =~ ^(0|[1-9][0-9]{0,17})$ ]]; }
digest() { sha256sum < "$1" | cut -c1-64; }
plain() { tr '_-' '/+' | base64 -d 2> /dev/null; }
pem() { echo "-----BEGIN PUBLIC KEY-----"; base64 -w 64; echo "-----END PUBLIC KEY-----"; }
node() { { printf '\001'; base64 -d <<< "$1"; base64 -d <<< "$2"; } | openssl dgst -sha256 -binary | base64; }

# verified ALGORITHM KEY SIGNATURE MESSAGE: whether the signature is this key's; all but the first are files
verified() {
  case $1 in
    ecdsa-p256) openssl dgst -sha256 -verify "$2" -signature "$3" "$4" ;;
    ed25519) openssl pkeyutl -verify -rawin -pubin -inkey "$2" -in "$4" -sigfile "$3" ;;
    *) false ;;
  esac > /dev/null 2>&1
}

# 1. The trust: its form, its keys, the log's keys and the witnesses'
known='["keys","kinds","log","registry","schema"]' fields='["algorithm","id","person","spki"]'
form="length == 1 and (.[0] | .schema == \"aims.trust/1\" and keys == $known and all(.keys[]; keys == $fields)
  and (.log | . == null or (keys == [\"keys\",\"origin\",\"quorum\",\"witnesses\"] and (.quorum | type) == \"number\"
  and (.quorum | tostring | test(\"\\\\A[1-9][0-9]{0,8}\\\\z\")))))"
# A key that is named twice is streamed twice, and read once.
values() { jq -c "$@" "$trust" 2> /dev/null | wc -l; }
jq -es "$form" "$trust" > /dev/null 2>&1 &&
  [[ $(values --stream 'select(length == 2)') == $(values 'tostream | select(length == 2)') ]] ||
  { echo "INCOMPLETE: no trust, so that nothing can be said: it has a form that this program does not know"; exit 3; }
registry=$(jq -r .registry "$trust")
declare -A algorithms
while IFS=$'\t' read -r id algorithm spki; do
  [[ sha256:$(base64 -d <<< "$spki" | sha256sum | cut -c1-64) == "$id" ]] ||
    { echo "INCOMPLETE: no trust, so that nothing can be said: a key under another's id"; exit 3; }
  base64 -d <<< "$spki" | pem > "$work/${id#sha256:}.pem"
  algorithms[$id]=$algorithm
done < <(jq -r '.keys[] | [.id, .algorithm, .spki] | @tsv' "$trust")

declare -A trusted
while IFS=$'\t' read -r kind ids; do trusted[$kind]=$ids; done < <(jq -r '.kinds | to_entries[] | [.key, (.value | join(" "))] | @tsv' "$trust")

# signed KIND ENVELOPE: write the payload to $work/payload; whether somebody signed it who is trusted for the kind
signed() {
  local kind=$1 id signature parts
  mapfile -t parts < <(jq -r '.payloadType, .payload, .signatures[].sig' "$2" 2> /dev/null)
  [[ ${#parts[@]} -ge 3 && ${parts[0]} == application/vnd.in-toto+json ]] || return 1
  plain <<< "${parts[1]}" > "$work/payload" || return 1
  { printf 'DSSEv1 28 %s %d ' "${parts[0]}" "$(wc -c < "$work/payload")"; cat "$work/payload"; } > "$work/message"
  [[ $kind == waiver && $(jq -r .predicate.act "$work/payload") != approve ]] && kind=anybody
  for signature in "${parts[@]:2}"; do
    plain <<< "$signature" > "$work/signature" || return 1
    for id in ${trusted[$kind]:-}; do
      verified "${algorithms[$id]:-none}" "$work/${id#sha256:}.pem" "$work/signature" "$work/message" && return 0
    done
  done
  return 1
}

# about KIND SUBJECT SYSTEM [CAPTURED]: whether the payload is a statement of this kind, registry and subject, of this
# system or none, and neither measured nor signed more than five minutes after it was recorded
about() {
  jq -e --arg type "urn:aims-mlops:$1:v1" --arg registry "$registry" --arg subject "$2" --arg system "$3" \
    --arg at "${4:-}" "def seconds: (.[:19] + \"Z\" | fromdateiso8601) + (.[20:23] | tonumber) / 1000;
     (\$at == \"\" or (.predicate.header | all(.measuredAt, .signedAt; seconds <= (\$at | seconds) + 300))) and ._type == \"https://in-toto.io/Statement/v1\" and .predicateType == \$type and (.subject | length) == 1
     and .predicate.header.registryId == \$registry and .subject[0].digest.sha256 == \$subject
     and (.predicate.header.system | . == null or . == \$system)" "$work/payload" > /dev/null 2>&1
}

finish() {
  if [[ $invalid == 1 ]]; then echo INVALID; exit 4; fi
  if [[ $incomplete == 1 ]]; then echo INCOMPLETE; exit 3; fi
  local unseen=0 seq
  for seq in "${places[@]}"; do [[ $seq -ge $witnessed ]] && unseen=$((unseen + 1)); done
  if [[ $unseen -gt 0 ]]; then echo "UNWITNESSED: $unseen leaves that nobody outside has seen"; else echo witnessed; fi
  echo "VALID: ${#own[@]} statements"
  if [[ $unseen -eq ${#places[@]} ]]; then exit 5; fi
  exit 0
}

# 2. The index: one form, a trusted signature, and a subject that is the list of the files
index=$pack/index.json
[[ -f $index && ! -L $index ]] || { wrong index.json "it is not there, or no plain file"; finish; }
# `\z` is the very end: `$` would let a line feed follow, and what stands behind it.
form='length == 1 and (.[0] | keys == ["payload", "payloadType", "signatures"] and (.signatures | length) == 1
  and (.signatures[0] | keys == ["keyid", "sig"] and (.keyid | test("\\Asha256:[0-9a-f]{64}\\z")))
  and ([.payload, .signatures[0].sig] | all(test("\\A[A-Za-z0-9+/]+={0,2}\\z"))))'
jq -es "$form" "$index" > /dev/null 2>&1 && jq -cSj . "$index" 2> /dev/null | cmp -s - "$index" ||
  { wrong index.json "the envelope is not in the form in which it was written"; finish; }
while read -r text; do
  [[ $(plain <<< "$text" | base64 -w 0) == "$text" ]] ||
    { wrong index.json "the envelope is not in the form in which it was written"; finish; }
done < <(jq -r '.payload, .signatures[].sig' "$index")
id=$(jq -r '.signatures[0].keyid' "$index") # of any other envelope the key's name is a hint; here it must be right
[[ $(jq '.signatures | length' "$index") == 1 && " ${trusted[pack]:-} " == *" $id "* ]] && trusted[pack]=$id || trusted[pack]=''
signed pack "$index" || { wrong index.json "not signed by anybody who is trusted for it"; finish; }
cp "$work/payload" "$work/index"
system=$(jq -r .predicate.system "$work/index")
jq -j '.predicate.files[] | "\(.sha256)  \(.name)\n"' "$work/index" > "$work/sums"
about pack "$(digest "$work/sums")" "$system" ||
  { wrong index.json "not the index of a pack of this registry, or its subject is not the list of its files"; finish; }

# 3. The files: exactly those of the list, byte for byte. sha256sum skips a line that it cannot read
form='all(.predicate.files[]; (.sha256 | test("\\A[0-9a-f]{64}\\z"))
  and (.name | test("\\A([a-z]+/)?[A-Za-z0-9][A-Za-z0-9._-]*\\z")))'
jq -e "$form" "$work/index" > /dev/null 2>&1 || { wrong index.json "an odd name, or no digest"; finish; }
while IFS= read -r odd; do wrong "$odd" "no plain file"; done < <(cd "$pack" && find . ! -type f ! -type d -o -type d -empty)
jq -r '.predicate.files[].name, "index.json"' "$work/index" | sort > "$work/listed"
(cd "$pack" && find . -type f -printf '%P\n') | sort > "$work/there"
while IFS= read -r name; do wrong "$name" "in the index, and not there"; done < <(comm -23 "$work/listed" "$work/there")
while IFS= read -r name; do wrong "$name" "not in the index: somebody added it"; done < <(comm -13 "$work/listed" "$work/there")
(cd "$pack" && sha256sum --check --strict --quiet "$work/sums") > "$work/said" 2> "$work/warned"
checked=$?
while IFS= read -r line; do wrong "${line%%: *}" "its bytes are not those that the index was signed over"; done < "$work/said"
[[ $invalid == 0 ]] || finish # what follows reads these files
[[ $checked == 0 && ! -s $work/warned ]] || { wrong index.json "not every file could be held to its digest"; finish; }

# 4. The leaves, and the statement of each
[[ -f $pack/leaves.jsonl ]] || { wrong leaves.jsonl "it is not there"; finish; }
mapfile -t lines < "$pack/leaves.jsonl"
mapfile -t places < <(jq -r .seq "$pack/leaves.jsonl")
mapfile -t own < <(jq -r '.predicate.leaves | .period + .before | sort[]' "$work/index")
{ read -r from; read -r to; read -r recorded; read -r others; } < <(
  jq -r '.predicate | .period.from, .period.to, (.leaves | .period, .others | map(tostring) | join(" "))' "$work/index")
[[ "${places[*]}" == "$(jq -r '.predicate.leaves | [.[][]] | sort | map(tostring) | join(" ")' "$work/index")" ]] ||
  wrong leaves.jsonl "not the leaves of the index"
[[ ${#lines[@]} -eq ${#places[@]} ]] || wrong leaves.jsonl "not a leaf a line"
for number in "${places[@]}" "${own[@]}"; do whole "$number" || { wrong leaves.jsonl "not a place"; finish; }; done
erased=" " gone=() foreign=()
: > "$work/named"
for number in "${!lines[@]}"; do
  line=${lines[$number]} seq=${places[$number]}
  IFS=$'\t' read -r type envelope payload subject at prev < <(
    jq -r '[.type, .envelope, .payload, .subject, .capturedAt, .prev] | @tsv' <<< "$line")
  if [[ $number -gt 0 && $((places[number - 1] + 1)) -eq $seq ]]; then
    [[ $prev == "sha256:$(printf %s "${lines[number - 1]}" | sha256sum | cut -c1-64)" ]] ||
      wrong "leaf $seq" "it does not follow from the one before it"
  fi
  [[ " $others " == *" $seq "* ]] && { foreign+=("$seq $payload"); continue; }
  kind=${type#urn:aims-mlops:} kind=${kind%:v1}
  [[ $kind =~ ^[a-z-]+$ ]] || { wrong "leaf $seq" "of no kind"; continue; }
  file=$pack/statements/$(printf %08d "$seq")-$kind.dsse.json
  if [[ ! -f $file ]]; then
    [[ $kind =~ ^(check-result|incident|intent|record)$ ]] || payload=none # nothing else can be erased
    gone+=("$seq $payload/$seq/$kind"); continue
  fi
  [[ sha256:$(digest "$file") == "$envelope" ]] || wrong "leaf $seq" "not the envelope that was appended to the log"
  signed "$kind" "$file" || wrong "leaf $seq" "not signed by anybody who is trusted for a $kind"
  [[ sha256:$(digest "$work/payload") == "$payload" ]] || wrong "leaf $seq" "not the statement that was appended"
  about "$kind" "${subject#sha256:}" "$system" "$at" ||
    wrong "leaf $seq" "about something else, of another registry, or dated after its recording"
  if [[ " $recorded " == *" $seq "* ]]; then low=$from high=$to; else low='' high=$from; fi
  [[ $low < $at || $low == "$at" ]] && [[ $at < $high ]] || wrong "leaf $seq" "not recorded where the index has it"
  [[ $kind == tombstone ]] || jq -c .predicate "$work/payload" | grep -oE 'sha256:[0-9a-f]{64}' >> "$work/named"
  if [[ $kind == tombstone ]]; then # it explains a leaf before it, of which it says all three
    said=$(jq -r '.predicate | if (.leaf | type) == "number" then "\(.erases)/\(.leaf)/\(.kind)" else "" end' "$work/payload")
    IFS=/ read -r erases place _ <<< "$said"
    [[ $said =~ ^[a-z0-9:]+/[0-9]+/[a-z-]+$ && $erases == "$subject" ]] && whole "$place" && [[ $place -lt $seq ]] &&
      erased+="$said "
  fi
done
for entry in ${foreign[@]+"${foreign[@]}"}; do
  grep -qxFe "${entry#* }" "$work/named" && miss "leaf ${entry% *}" "filed as another system's, and named here"
done
for entry in ${gone[@]+"${gone[@]}"}; do
  [[ $erased == *" ${entry#* } "* ]] || miss "leaf ${entry% *}" "the pack does not have its statement"
done

# 5. The checkpoints: signed by the log, and cosigned by how many trusted witnesses
size=$(jq -r .predicate.log.size "$work/index") root=$(jq -r '.predicate.log.root // empty' "$work/index")
if [[ -z $root || $(jq -r '.log == null' "$trust") == true ]]; then
  miss log "no checkpoint, or no log in the trust: nothing proves that these are in a log"
  finish
fi
origin=$(jq -r .log.origin "$trust") quorum=$(jq -r .log.quorum "$trust")
whole "$size" && whole "$quorum" || { wrong log "not a number"; finish; }
note='' roots=" "
for file in "$pack"/checkpoints/*; do
  content=$(cat "$file") name=${file##*/}
  { printf '%s\n' "${content%$'\n\n'*}"; } > "$work/text"
  { read -r is; read -r covers; read -r hash; } < "$work/text"
  whole "$covers" || { wrong "$name" "not a checkpoint"; continue; }
  ours=0 seen=" "
  while read -r _ who encoded; do
    id=$(base64 -d <<< "$encoded" | head -c 4 | od -An -tx1 | tr -d ' \n')
    while IFS=$'\t' read -r role vkey; do
      [[ ${vkey%%+*} == "$who" && $(cut -d+ -f2 <<< "$vkey") == "$id" ]] || continue
      typed=$(cut -d+ -f3- <<< "$vkey")
      { printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; base64 -d <<< "$typed" | tail -c 32; } | pem > "$work/key.pem"
      if [[ $(base64 -d <<< "$typed" | head -c 1 | od -An -tu1 | tr -d ' ') == 4 ]]; then
        time=$(base64 -d <<< "$encoded" | od -An -tu8 --endian=big -j4 -N8 | tr -d ' ')
        { printf 'cosignature/v1\ntime %s\n' "$time"; cat "$work/text"; } > "$work/message"
        base64 -d <<< "$encoded" | tail -c +13 > "$work/signature"
      else
        cp "$work/text" "$work/message"
        base64 -d <<< "$encoded" | tail -c +5 > "$work/signature"
      fi
      verified ed25519 "$work/key.pem" "$work/signature" "$work/message" || { wrong "$name" "a bad signature of $who"; continue; }
      [[ $role == log ]] && ours=1
      [[ $role == witness && $seen != *" ${typed:2} "* ]] && seen+="${typed:2} " # a key counts once under all names
    done < <(jq -r '.log | (.keys[] | ["log", .]), (.witnesses[] | ["witness", .]) | @tsv' "$trust")
  done <<< "${content##*$'\n\n'}"
  [[ $ours == 1 && $is == "$origin" ]] || { wrong "$name" "not signed by the log"; continue; }
  [[ $roots == *" $covers:"* && $roots != *" $covers:$hash "* ]] && wrong "$name" "the log signed two histories"
  roots+="$covers:$hash "
  # Whoever saw another checkpoint saw, for all that is shown here, another history.
  [[ $covers == "$size" && $(base64 -d <<< "$hash" | od -An -tx1 | tr -d ' \n') == "$root" ]] || continue
  note=$content top=$hash
  [[ $(wc -w <<< "$seen") -ge $quorum ]] && witnessed=$size
done
[[ -n $note ]] || { wrong log "no such checkpoint"; finish; }

# 6. The proofs: each leaf leads to the root (RFC 9162, 2.1.3.2)
for number in "${!lines[@]}"; do
  seq=${places[$number]} line=${lines[$number]} file=$pack/proofs/$(printf %08d "${places[$number]}").tlog-proof
  if [[ $seq -ge $size || ! -f $file ]]; then
    miss "leaf $seq" "no checkpoint reaches it: nothing proves that it is in the log"
    continue
  fi
  content=$(cat "$file")
  mapfile -t proof <<< "${content%%$'\n\n'*}"
  [[ ${proof[0]} == c2sp.org/tlog-proof@v1 && ${proof[2]} == "index $seq" && ${content#*$'\n\n'} == "$note" ]] &&
    [[ $(base64 -d <<< "${proof[1]#extra }") == "$line" ]] || { wrong "leaf $seq" "a proof of something else"; continue; }
  found=$({ printf '\000'; printf %s "$line"; } | openssl dgst -sha256 -binary | base64) place=$seq last=$((size - 1))
  for sibling in "${proof[@]:3}"; do
    [[ $last -eq 0 ]] && found='' && break
    if [[ $((place & 1)) -eq 1 || $place -eq $last ]]; then
      found=$(node "$sibling" "$found")
      while [[ $((place & 1)) -eq 0 && $place -ne 0 ]]; do place=$((place >> 1)) last=$((last >> 1)); done
    else
      found=$(node "$found" "$sibling")
    fi
    place=$((place >> 1)) last=$((last >> 1))
  done
  [[ $found == "$top" && $last -eq 0 ]] || wrong "leaf $seq" "the proof does not lead to the checkpoint"
done
finish

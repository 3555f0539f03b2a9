#!/bin/sh
# Writes numbers as Roman numerals. Everything here is built into a POSIX shell: no sed, no jq, no other program,
# so it also runs where the sandbox shows it nothing but the shell.

# ---- JSON: one text in $rest, read from the left. What it finds goes to `keep`, with the path of its keys. ----

space() { rest=${rest#"${rest%%[![:space:]]*}"}; }

# Reads a string and leaves what stood between the quotes in $token, escapes and all.
string() {
  case $rest in '"'*) rest=${rest#?} ;; *) return 1 ;; esac
  token=
  while :; do
    part=${rest%%[\"\\]*}
    rest=${rest#"$part"}
    token=$token$part
    case $rest in
      '"'*) rest=${rest#?}; return 0 ;;
      '\'?*) pair=${rest%"${rest#??}"}; token=$token$pair; rest=${rest#??} ;;
      *) return 1 ;;
    esac
  done
}

value() {
  depth=$((depth + 1))
  [ "$depth" -le 150 ] || return 1
  space
  case $rest in
    '{'*) members '}' || return 1 ;;
    '['*) members ']' || return 1 ;;
    '"'*) string || return 1; keep "\"$token\"" ;;
    *)
      token=${rest%%[!-+.0-9A-Za-z]*}
      case $token in true | false | null | [-0-9]*) ;; *) return 1 ;; esac
      rest=${rest#"$token"}
      keep "$token" ;;
  esac
  depth=$((depth - 1))
}

# The members of an object or an array, up to the closing bracket $1. Functions call each other here without local
# variables: the bracket is looked at again for each member, so nothing else has to survive the call.
members() {
  rest=${rest#?}
  space
  case $rest in "$1"*) rest=${rest#?}; return 0 ;; esac
  while :; do
    if [ "$1" = '}' ]; then
      space
      string || return 1
      # A dot in a key would end the path early; no key of the protocol has one.
      case $token in *.*) token='?' ;; esac
      path=$path.$token
      space
      case $rest in :*) rest=${rest#?} ;; *) return 1 ;; esac
    else
      path=$path.0
    fi
    value || return 1
    path=${path%.*}
    space
    case $rest in
      ,*) rest=${rest#?} ;;
      "$1"*) rest=${rest#?}; return 0 ;;
      *) return 1 ;;
    esac
  done
}

# The only places of a message this plugin looks at. Values stay as they were written, strings with their quotes, so
# that an id goes back exactly as it came, number or string.
keep() {
  case $path in
    .id) id=$1 ;;
    .method) method=$1 ;;
    .params.capability.kind) kind=$1 ;;
    .params.capability.name) name=$1 ;;
    .params.input.number) number=$1 ;;
  esac
}

# ---- The protocol: one JSON message a line. ----

result() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }

failure() {
  printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"%s","data":{"kind":"%s","retryable":false}}}\n' \
    "$id" "$1" "$3" "$2"
}

execute() {
  if [ "$kind $name" != '"tool" "roman"' ]; then
    failure -32056 unknown_capability 'There is only the tool roman here.'
    return
  fi
  case $number in
    [1-9] | [1-9][0-9] | [1-9][0-9][0-9] | [1-3][0-9][0-9][0-9])
      roman "$number"
      result "{\"output\":\"$numeral\"}" ;;
    *) failure -32602 invalid_params 'number: must be a whole number from 1 to 3999.' ;;
  esac
}

# Leaves the numeral of $1 in $numeral: the largest sign that still fits, again and again.
roman() {
  left=$1
  numeral=
  for sign in 1000:M 900:CM 500:D 400:CD 100:C 90:XC 50:L 40:XL 10:X 9:IX 5:V 4:IV 1:I; do
    while [ "$left" -ge "${sign%:*}" ]; do
      numeral=$numeral${sign#*:}
      left=$((left - ${sign%:*}))
    done
  done
}

answer() {
  case $method in
    '"initialize"' | '"ping"' | '"shutdown"') result '{}' ;;
    '"execute"') execute ;;
    *) failure -32601 method_not_found 'This plugin has no such method.' ;;
  esac
}

# The loop ends, and the plugin with it, when the host closes stdin.
while IFS= read -r line || [ -n "$line" ]; do
  rest=$line path='' depth=0
  id='' method='' kind='' name='' number=''
  if value && space && [ -z "$rest" ]; then
    # A notification has no id and gets no answer; neither does an answer, which has no method.
    if [ -n "$id" ] && [ -n "$method" ]; then answer; fi
  else
    printf 'not a message: %.200s\n' "$line" >&2
  fi
done

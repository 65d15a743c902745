# Clears up after the process that holds the other end of stdin; see scratch.rs. $1 is the directory to remove.
trap '' INT TERM HUP
pids='' cgroups='' pins=''
while read -r kind first second; do
    case $kind in
    pid) pids="$pids $first:$second" ;;
    gone)
        kept=''
        for entry in $pids; do
            [ "${entry%%:*}" = "$first" ] || kept="$kept $entry"
        done
        pids=$kept
        ;;
    cgroup) cgroups="$cgroups $first" ;;
    pins) pins="$pins $first" ;;
    esac
done
for entry in $pids; do
    # Not yet a group of its own, if it was only just started.
    kill -s "${entry#*:}" -- "-${entry%%:*}" || kill -s "${entry#*:}" "${entry%%:*}"
done
for entry in $pids; do
    turn=0
    while kill -0 -- "-${entry%%:*}" && [ $turn -lt 100 ]; do
        turn=$((turn + 1))
        sleep 0.05
    done
    kill -s KILL -- "-${entry%%:*}"
done
for dir in $cgroups; do
    [ -d "$dir" ] || continue
    turn=0
    while [ -d "$dir" ] && [ $turn -lt 100 ]; do
        [ -w "$dir/cgroup.kill" ] && echo 1 >"$dir/cgroup.kill"
        find "$dir" -depth -type d -exec rmdir {} \;
        turn=$((turn + 1))
        [ -d "$dir" ] && sleep 0.05
    done
done
for dir in $pins; do
    rm -rf "$dir"
done
turn=0
while ! rm -rf "$1" && [ $turn -lt 100 ]; do
    turn=$((turn + 1))
    sleep 0.05
done

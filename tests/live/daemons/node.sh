# The first program of a node, in namespaces of its own: it starts the daemon that its arguments say and then does
# what it is told, a word a line, each answered by a line. At the end of its input it ends, and the kernel ends
# everything else that runs in its process namespace.
set -eu
hostname "$NODE_NAME"
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir /run/lock
# Whatever the other directories are, here Docker keeps the key that its ID is made of, and Podman its networks.
for kept in /etc/docker /etc/cni/net.d /var/lib/cni; do
    mkdir -p "$kept" "$NODE_DIRECTORY$kept"
    mount --bind "$NODE_DIRECTORY$kept" "$kept"
done

# At a boot addresses are free again, as Podman's package has it on a whole machine.
rm -rf /var/lib/cni/networks

launch() {
    "$@" >>"$NODE_DIRECTORY/daemon.log" 2>&1 </dev/null &
    daemon=$!
}

launch "$@"
echo started
while read -r word; do
    case $word in
    pause)
        kill -STOP "$daemon"
        # Each of its threads stops when it is next looked at, and may answer until then.
        while cat /proc/"$daemon"/task/*/stat 2>/dev/null | sed 's/.*) //' | grep -qv '^T'; do sleep 0.01; done
        ;;
    resume) kill -CONT "$daemon" ;;
    # The daemon alone, as it is ended in an upgrade; containers end with it as it sees fit.
    end)
        kill -CONT "$daemon" || :
        kill -TERM "$daemon" || :
        (sleep 15 && kill -KILL "$daemon") </dev/null >/dev/null 2>&1 &
        watch=$!
        wait "$daemon" || :
        kill "$watch" || :
        ;;
    # The daemon alone, as by the kernel when memory is short.
    crash)
        kill -KILL "$daemon" || :
        wait "$daemon" || :
        ;;
    launch) launch "$@" ;;
    # One letter, Z or nothing if it has ended.
    state)
        state=Z
        [ ! -r "/proc/$daemon/stat" ] || read -r _ _ state _ <"/proc/$daemon/stat" || :
        echo "$state"
        continue
        ;;
    esac
    echo done
done

# How the boot scripts talk to the host: virtio-serial ports found by name, events as JSON lines on one of them.

open_channels() { # control is kept open as descriptor 3; the rest are paths
    attempts=0
    until find_channels; do
        attempts=$((attempts + 1))
        [ $attempts -lt 500 ] || exec poweroff -f # the host reports a guest that never spoke
        usleep 10000                              # the ports appear a moment after their bus
    done
    exec 3<>"$control"
}

find_channels() {
    control='' output='' errors='' kernel_log='' monitor=''
    for port in /sys/class/virtio-ports/*; do
        read -r name <"$port/name" || return 1
        device=/dev/${port##*/}
        case $name in
        org.uio_workloop.control) control=$device ;;
        org.uio_workloop.stdout) output=$device ;;
        org.uio_workloop.stderr) errors=$device ;;
        org.uio_workloop.kernel_log) kernel_log=$device ;;
        org.uio_workloop.monitor) monitor=$device ;;
        esac
    done 2>/dev/null
    [ -c "$control" ] && [ -c "$output" ] && [ -c "$errors" ] && [ -c "$kernel_log" ] && [ -c "$monitor" ]
}

event() { # NAME
    echo "{\"event\": \"$1\"}" >&3
}

fail() { # SENTENCE, without quotes in it; the host ends the machine
    echo "{\"event\": \"failure\", \"message\": \"$1\"}" >&3
    while :; do sleep 1000; done
}

package energy

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// This file owns how long a machine's CPUs have computed for anybody: what a process's share of the energy is a share of.

// tick is the unit of /proc/stat: USER_HZ, which is 100 on all machines that the daemon runs on (proc_stat(5)).
const tick = time.Second / 100

// stat has, in its first line, the time of all CPUs together: "cpu", then user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice.
const stat = "proc/stat"

// busyColumns are those in which a CPU computed. Guests' time is in user and nice; stolen time is others'.
var busyColumns = []int{0, 1, 2, 5, 6}

// Busy is the CPU time, of all CPUs together, that everything on the machine has taken since it was started, as root's /proc/stat has it.
func Busy(root fs.FS) (time.Duration, error) {
	f, err := root.Open(stat)
	if err != nil {
		return 0, why(stat, err)
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 1024)).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) < 8 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/%s: its first line has no times of all CPUs", stat)
	}
	sum := uint64(0)
	for _, i := range busyColumns {
		n, err := strconv.ParseUint(fields[1+i], 10, 48) // 48 bits of ticks are 89,000 CPU years, and the sum is no overflow
		if err != nil {
			return 0, fmt.Errorf("/%s: %q is no time", stat, fields[1+i])
		}
		sum += n
	}
	if most := uint64(1<<63-1) / uint64(tick); sum > most {
		return 0, fmt.Errorf("/%s: %d ticks are more than can be", stat, sum)
	}
	return time.Duration(sum) * tick, nil
}

// Share is the process's part of what the machine's CPUs have computed between two readings, from 0 to 1. Both clocks have steps, so one that has computed alone
// may seem to have computed more than all.
func Share(own, all time.Duration) float64 {
	switch {
	case own <= 0:
		return 0
	case all <= own:
		return 1
	}
	return float64(own) / float64(all)
}

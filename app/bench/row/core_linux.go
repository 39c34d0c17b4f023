package row

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// pinToOneCore leaves this process one core, the lowest of those it may use, until restore is called.
func pinToOneCore() (restore func(), err error) {
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("read the affinity: %w", err)
	}
	var one unix.CPUSet
	for cpu := 0; one.Count() == 0; cpu++ {
		if before.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	procs := runtime.GOMAXPROCS(1)
	restore = func() {
		runtime.GOMAXPROCS(procs)
		_ = setAffinity(&before) // what follows would be slower, and its load average tells
	}
	if err := setAffinity(&one); err != nil {
		restore()
		return nil, err
	}
	return restore, nil
}

// setAffinity sets it for each thread there is; those to come inherit it.
func setAffinity(set *unix.CPUSet) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
			return fmt.Errorf("set the affinity of thread %d: %w", id, err)
		}
	}
	return nil
}

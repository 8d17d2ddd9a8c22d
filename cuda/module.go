//go:build cuda

package cuda

import (
	_ "embed"
	"time"
	"unsafe"

	"gorgonia.org/cu"
)

// This file owns compiled kernels: the embedded image, modules, functions and launches.

// kernelImage holds all kernels, for each architecture and as PTX for later ones: `make cuda-kernels`.
//
//go:embed kernels.fatbin
var kernelImage string

// moduleLimit is for a device that is newer than the kernels: the driver compiles them from PTX.
// Tests lower it.
var moduleLimit = 5 * time.Minute

// loadModule loads an image: a fatbin, a cubin or PTX. It may take up to moduleLimit: see doWithin.
func (d *device) loadModule(image string) (cu.Module, error) {
	if err := d.begin("cuModuleLoadData", int64(len(image))); err != nil {
		return cu.Module{}, err
	}
	m, err := cu.LoadData(image)
	if err := d.end(err); err != nil {
		return cu.Module{}, err
	}
	d.book(func(l *ledger) { l.Modules++ })
	return m, nil
}

func (d *device) unload(m cu.Module) error {
	if err := d.begin("cuModuleUnload", 0); err != nil {
		return err
	}
	if err := d.end(m.Unload()); err != nil {
		return err
	}
	d.book(func(l *ledger) { l.Modules-- })
	return nil
}

// function finds a kernel; the error names it.
func (d *device) function(m cu.Module, name string) (cu.Function, error) {
	if err := d.begin("cuModuleGetFunction("+name+")", 0); err != nil {
		return cu.Function{}, err
	}
	f, err := m.Function(name)
	return f, d.end(err)
}

// launch queues a kernel with its one argument, the device address of its struct. Dimensions are x, y, z.
func (d *device) launch(f cu.Function, grid, block [3]int, s cu.Stream, argument Pointer) error {
	if err := d.begin("cuLaunchKernel", 0); err != nil {
		return err
	}
	return d.end(f.Launch(grid[0], grid[1], grid[2], block[0], block[1], block[2], 0, s, []unsafe.Pointer{unsafe.Pointer(&argument)}))
}

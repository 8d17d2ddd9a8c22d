//go:build !cuda

package loader

// This file stands for the GPU backend in the build without it.

func openGPU(int, string) (Backend, error) { return nil, errNoGPUBuild }

func openCopier(int, int64) (Copier, error) { return nil, errNoGPUBuild }

// gpusFound is nothing: this build looks for none.
func gpusFound() string { return "" }

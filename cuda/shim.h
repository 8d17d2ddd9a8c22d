/* shim.h owns the opening of the driver's library at run time. */
#ifndef CHIMERA_SHIM_H
#define CHIMERA_SHIM_H

struct shim_answer {
	const char *missing; /* why there is no library, or NULL; lives as long as the process */
	const char *call;    /* which driver call failed, or NULL */
	int code;            /* with what */
	int version;         /* CUDA version of the driver, 1000 major + 10 minor, once known */
};

/* Opens the library, asks its version and, if that is at least needed_version, initialises it and binds
 * every symbol. Until that has succeeded every driver call answers CUDA_ERROR_NOT_INITIALIZED. Once. */
struct shim_answer shim_open(const char *library, int needed_version);
#endif

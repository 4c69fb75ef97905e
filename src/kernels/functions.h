/* All that the lane expressions of ops.def call. */
#ifndef FZ_FUNCTIONS_H
#define FZ_FUNCTIONS_H

#include "vec.h"
#if defined(FZ_T_IS_FLOAT)
#include "math_activations.h"
#include "math_arctrig.h"
#include "math_divide.h"
#include "math_erf.h"
#include "math_exp.h"
#include "math_hyperbolic.h"
#include "math_log.h"
#include "math_power.h"
#include "math_roots.h"
#include "math_trig.h"
#endif

#endif

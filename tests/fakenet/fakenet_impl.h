/*
 * fakenet_impl - what the files of fakenet share about the loop. Not for others.
 */
#ifndef FAKENET_FAKENET_IMPL_H
#define FAKENET_FAKENET_IMPL_H

#include "base/map.h"
#include "net/loop.h"

/* host -> addresses separated by spaces; borrowed. */
struct map *fakenet_names(struct loop *l);

#endif

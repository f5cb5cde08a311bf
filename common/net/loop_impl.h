/*
 * loop_impl - what the files of net/ share about the loop. Not for others.
 */
#ifndef NET_LOOP_IMPL_H
#define NET_LOOP_IMPL_H

#include "net/loop.h"

struct event_base;
struct event_base *loop_base(struct loop *l); /* borrowed */

#endif

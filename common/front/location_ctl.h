/*
 * location_ctl - what every front end says of the list of locations on its control socket:
 * its part of `status`, and `explain`. The answers are described in ctl/ctl.h.
 */
#ifndef FRONT_LOCATION_CTL_H
#define FRONT_LOCATION_CTL_H

#include "ctl/ctl.h"
#include "json/json.h"
#include "location/reader.h"

/* "location" of status' "detail". */
void location_ctl_status(struct location_reader *r, struct json *detail);

/* Registers `explain`: what the list at hand says, without asking anybody. r is borrowed. */
void location_ctl_register(struct ctl_server *s, struct location_reader *r);

#endif

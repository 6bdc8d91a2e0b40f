// /dev/mixer: requests on a device file become calls on a mixer.

import type { Caller, Device, OpenFile } from "../fuse/device.ts";
import type { Session } from "../fuse/session.ts";
import { MIXER_CALLS, unknownCall } from "../oss/calls.ts";
import type { Cards } from "../oss/cards.ts";
import type { Mixer, MixerGroup } from "../oss/mixer.ts";
import { ownerOf } from "./client.ts";
import { PlainFile } from "./plain_file.ts";

/** A mixer device. */
export class MixerDevice implements Device {
  constructor(readonly name: string, readonly mixer: Mixer, readonly cards: Cards) {}

  open(session: Session, _nodeid: number, caller: Caller, _flags: number): OpenFile {
    return new MixerFile(session, this, ownerOf(this.mixer.scope, caller));
  }
}

class MixerFile extends PlainFile {
  readonly mixer: Mixer;
  readonly mixerGroup: MixerGroup;
  readonly cards: Cards;

  constructor(session: Session, { mixer, cards }: MixerDevice, owner: number) {
    super(session);
    this.mixer = mixer;
    this.mixerGroup = mixer.enter(owner);
    this.cards = cards;
  }

  override ioctl(unique: number, command: number, _inSize: number, outSize: number): void {
    const call = MIXER_CALLS.get(command);
    if (!call) return this.session.replyError(unique, unknownCall("mixer", command));
    const result = call.run(this, this.session.argument);
    if (result < 0) this.session.replyError(unique, -result);
    else this.session.replyIoctl(unique, result, outSize);
  }

  override release(unique: number): void {
    this.mixer.leave(this.mixerGroup);
    super.release(unique);
  }
}

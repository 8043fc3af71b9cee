// Resend's own client: segments, properties, the contact from its creation to the loss of a tag.
import { Resend } from 'resend';
import { ann, redirected, said } from './common.mjs';

redirected();
const { contacts, contactProperties, domains, segments } = new Resend('re_00000000_0000000000000000');
const contactId = '479e3145-dd38-476b-932c-529ceb705947';
const [tag, launch, picked] = ['78261eea-8f8b-4381-83c6-79fa7120f1cf', '3f1e4daf-204e-4b96-bf69-6a567da76e60', '05281acd-6502-4401-a689-85684e56bd91'];

const one = await segments.list({ limit: 1 });
said('segments', 'verify-ok', [one.data.has_more, one.data.data[0].name]);
const names = await domains.list({ limit: 1 });
said('domains', 'verify-ok', names.data.data[0].name);

const first = await segments.list({ limit: 100 });
said('segments', 'choices-two-pages', first.data.data.map(({ id }) => id));
const second = await segments.list({ limit: 100, after: launch });
said('segments', 'choices-two-pages', second.data.data.map(({ id }) => id));

const known = await contactProperties.list({ limit: 100 });
said('properties', 'choices-fields', known.data.data.map(({ key, type }) => [key, type]));

const before = await segments.list({ limit: 100 });
said('segments', 'prepare-creates', before.data.data.length);
const again = await segments.list({ limit: 100 });
said('segments', 'prepare-creates', again.data.data.length);
const made = await segments.create({ name: 'Launch' });
said('create_segment', 'prepare-creates', [made.data.id, made.data.name]);

const nobody = await contacts.get({ email: ann.email });
said('find', 'sync-new', [nobody.error.statusCode, nobody.error.name]);
const created = await contacts.create({ email: ann.email, firstName: ann.first, lastName: ann.last, unsubscribed: false });
said('create', 'sync-new', created.data.id);
for (const segmentId of [picked, tag, launch]) {
  const added = await contacts.segments.add({ contactId, segmentId });
  said('attach', 'sync-new', added.error);
}

const found = await contacts.get({ email: ann.email });
said('find', 'sync-existing', [found.data.id, found.data.first_name, found.data.unsubscribed]);
const updated = await contacts.update({ id: contactId, lastName: ann.last });
said('update', 'sync-existing', updated.data.id);

const still = await contacts.get({ email: ann.email });
said('find', 'untag', still.data.first_name);
const removed = await contacts.segments.remove({ contactId, segmentId: tag });
said('detach', 'untag', removed.data.deleted);

const seen = await contacts.get({ email: ann.email });
said('find', 'lookup-found', seen.data.email);
const some = await contacts.segments.list({ contactId, limit: 100 });
said('contact_segments', 'lookup-found', [some.data.has_more, some.data.data[0].id]);
const rest = await contacts.segments.list({ contactId, limit: 100, after: picked });
said('contact_segments', 'lookup-found', [rest.data.has_more, rest.data.data[0].id]);

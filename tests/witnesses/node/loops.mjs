// Loops's own client: mailing lists and properties, the contact from its creation to the loss of a tag.
import { LoopsClient } from 'loops';
import { ann, redirected, said } from './common.mjs';

redirected();
const loops = new LoopsClient('00000000000000000000000000000000');
const email = ann.email;
const list = 'cm06f5v0e45nf0ml5754o9cix';

said('api_key', 'verify-ok', (await loops.testApiKey()).teamName);
said('lists', 'choices-two-pages', (await loops.listMailingLists()).map(({ name }) => name));
said('properties', 'choices-fields', (await loops.listContactProperties('custom')).map(({ key, type }) => [key, type]));

said('properties', 'prepare-creates', (await loops.listContactProperties('custom')).length);
said('properties', 'prepare-creates', (await loops.listContactProperties('custom')).length);
said('create_property', 'prepare-creates', (await loops.createContactProperty('rekomiTagLaunch', 'boolean')).success);

said('find', 'sync-new', await loops.findContact({ email }));
const tags = { rekomiAffiliate: true, rekomiTagLaunch: true };
const names = { firstName: ann.first, lastName: ann.last, source: 'Rekomi' };
said('create', 'sync-new', await loops.updateContact({ email, properties: { ...names, ...tags }, mailingLists: { [list]: true } }));

const [found] = await loops.findContact({ email });
said('find', 'sync-existing', [found.id, found.subscribed, found.lastName]);
said('update', 'sync-existing', await loops.updateContact({ email, properties: { lastName: ann.last, rekomiAffiliate: true } }));

said('find', 'sync-moved', await loops.findContact({ email: 'ann@new.example' }));
said('find', 'sync-moved', (await loops.findContact({ email }))[0].userId);
said('move', 'sync-moved', await loops.updateContact({ userId: '1234', email: 'ann@new.example' }));

const moved = 'sync-moved.no-user-id-opted-out';
said('find', moved, await loops.findContact({ email: 'ann@new.example' }));
said('find', moved, (await loops.findContact({ email }))[0].subscribed);
const anew = { ...names, rekomiAffiliate: true, subscribed: false };
said('create_unsubscribed', moved, await loops.updateContact({ email: 'ann@new.example', properties: anew }));

said('find', 'untag', (await loops.findContact({ email }))[0].rekomiAffiliate);
said('untag', 'untag', await loops.updateContact({ email, properties: { rekomiAffiliate: false } }));

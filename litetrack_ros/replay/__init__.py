"""Bag replay and the scripted camera, from reading a bag to the report.

The way through: ``request`` says what is asked for, ``bag_reader`` reads the bag and ``playlist``
chooses what is played of it; ``session`` holds the node, started by ``node_process``, and our side
of the traffic, through which ``player`` publishes and takes answers. ``fates`` says what became of
every image, ``figures`` sums it up, ``replay_report`` and ``page`` write it, with ``bag_writer``
for a bag of results. ``run`` does one after the other. ``camera`` plays pictures that are in no
bag.
"""

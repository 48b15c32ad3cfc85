"""Frame choice, held to tables worked out by hand."""

from fractions import Fraction

import numpy as np
import pytest

from zoopraxis.errors import VideoError
from zoopraxis.inputs.sampling import (
    Sampling,
    all_clips,
    covering_starts,
    piece_clips,
    random_starts,
    resample,
    sample_test,
    sample_train,
    segments_random,
    shifted,
    span,
    uniform_starts,
)

FOUR_BY_TWO = Sampling(num_frames=4, stride=2)
THREE_SEGMENTS = Sampling(num_frames=3, mode="segments")


def test_what_is_missing_at_the_end_may_stay_empty():
    padded = Sampling(num_frames=4, stride=2, short="zeros")
    assert sample_test(12, 30.0, padded).tolist() == [[2, 4, 6, 8]]
    assert sample_test(5, 30.0, padded, views=2).tolist() == [[0, 2, 4, -1]] * 2
    starts = [sample_train(6, 30.0, padded, rng=np.random.default_rng(s))[0] for s in range(20)]
    assert {tuple(clip.tolist()) for clip in starts} == {(0, 2, 4, -1), (-1, 1, 3, 5)}
    assert shifted(starts[0], 10).tolist() == np.where(starts[0] < 0, -1, starts[0] + 10).tolist()


@pytest.mark.parametrize(
    ("num_frames", "views", "expected"),
    [
        (12, 1, [[2, 4, 6, 8]]),  # ..fxfxfxf...
        (12, 2, [[0, 2, 4, 6], [5, 7, 9, 11]]),
        (12, 3, [[0, 2, 4, 6], [2, 4, 6, 8], [5, 7, 9, 11]]),
        (7, 2, [[0, 2, 4, 6], [0, 2, 4, 6]]),  # fxfxfxf just fits
        (5, 1, [[0, 2, 4, 1]]),  # 01234|01: the seventh frame is 6 % 5
        (1, 1, [[0, 0, 0, 0]]),
    ],
)
def test_dense_views(num_frames, views, expected):
    assert sample_test(num_frames, 30.0, FOUR_BY_TWO, views=views).tolist() == expected


def test_a_short_video_can_hold_its_last_frame():
    clip = Sampling(num_frames=4, stride=2, short="hold")
    assert sample_test(5, 30.0, clip).tolist() == [[0, 2, 4, 4]]
    assert sample_test(1, 30.0, clip).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("num_frames", "views", "expected"),
    [
        (9, 1, [[1, 4, 7]]),  # .f. .f. .f.
        (9, 2, [[0, 3, 6], [2, 5, 8]]),
        (10, 1, [[1, 5, 8]]),  # 10/6 = 1.67, 30/6 = 5, 50/6 = 8.33
        (2, 1, [[0, 1, 1]]),  # 2/6, 6/6, 10/6
    ],
)
def test_segment_centres(num_frames, views, expected):
    assert sample_test(num_frames, 30.0, THREE_SEGMENTS, views=views).tolist() == expected


def test_segments_take_stacks_of_flow():
    clip = Sampling(num_frames=2, mode="segments", stack=5)
    # 16 starts in two segments: centres 4 and 12
    expected = [4, 5, 6, 7, 8, 12, 13, 14, 15, 16]
    assert sample_test(20, 30.0, clip).tolist() == [expected]


def test_a_stack_longer_than_the_video_loops_or_holds():
    clip = Sampling(num_frames=1, mode="segments", stack=5)
    hold = Sampling(num_frames=1, mode="segments", stack=5, short="hold")
    assert sample_test(3, 30.0, clip).tolist() == [[0, 1, 2, 0, 1]]
    assert sample_test(3, 30.0, hold).tolist() == [[0, 1, 2, 2, 2]]


@pytest.mark.parametrize(
    ("num_frames", "fps", "rate", "expected"),
    [
        (7, 30.0, None, [0, 1, 2, 3, 4, 5, 6]),
        (7, 30.0, 10.0, [0, 3, 6]),
        (5, 30.0, 60.0, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),  # ties to the earlier frame
        (10, 30.0, 20.0, [0, 1, 3, 4, 6, 7, 9]),  # 1.5 -> 1, 4.5 -> 4, 7.5 -> 7
        (10, 25.0, 30.0, [0, 1, 2, 2, 3, 4, 5, 6, 7, 7, 8, 9]),  # 0 .83 1.67 2.5 3.3 4.17
        (6, 30000 / 1001, 30.0, [0, 1, 2, 3, 4, 5]),  # 0.2 ms are no seventh frame
        (1, 30.0, 5.0, [0]),
    ],
)
def test_resample(num_frames, fps, rate, expected):
    assert resample(num_frames, fps, rate).tolist() == expected


def test_resample_by_time_stamp():
    shown = np.array([10.0, 10.1, 10.2, 10.6, 10.7, 11.5])  # then another quarter second
    # 0  .2 .4  .6 .8 1  1.2 1.4 1.6: .4 lies between .2 and .6, 1 is nearer to .7 than to 1.5
    assert resample(6, 4.0, 5.0, timestamps=shown).tolist() == [0, 2, 2, 3, 4, 4, 5, 5, 5]


@pytest.mark.parametrize("fps", [10.0, 24000 / 1001, 25.0, 30000 / 1001, 60.0])
@pytest.mark.parametrize("rate", [1.0, 12.0, 15.0, 24.0, 29.97, 60.0])
@pytest.mark.parametrize("num_frames", [1, 2, 7, 30, 299])
def test_time_stamps_of_a_constant_rate_change_nothing(num_frames, fps, rate):
    by_stamp = resample(num_frames, fps, rate, timestamps=np.arange(num_frames) / fps)
    assert by_stamp.tolist() == resample(num_frames, fps, rate).tolist()


def test_a_clip_at_a_requested_rate():
    clip = Sampling(num_frames=4, stride=2, fps=10.0)
    # 30 to 10 fps: the track 0 3 6 .. 27 has 10 frames; span 7, start 1: 3 9 15 21
    assert sample_test(30, 30.0, clip).tolist() == [[3, 9, 15, 21]]


def test_dense_training_clips_begin_everywhere_and_stay_inside():
    rng = np.random.default_rng(0)
    clips = np.concatenate([sample_train(12, 30.0, FOUR_BY_TWO, rng=rng) for _ in range(300)])
    assert set(clips[:, 0]) == {0, 1, 2, 3, 4, 5}
    assert (np.diff(clips, axis=1) == 2).all()


def test_training_segments_draw_every_frame_of_their_own_part():
    rng = np.random.default_rng(0)
    clips = np.concatenate([sample_train(11, 30.0, THREE_SEGMENTS, rng=rng) for _ in range(400)])
    # bounds 0, 11/3, 22/3, 11 rounded down
    assert [set(column) for column in clips.T] == [{0, 1, 2}, {3, 4, 5, 6}, {7, 8, 9, 10}]


def test_training_segments_of_a_short_video_spread_over_it():
    assert segments_random(2, 4, rng=np.random.default_rng(0)).tolist() == [[0, 0, 1, 1]]


def test_the_draw_is_a_function_of_the_generator():
    draw = [sample_train(99, 30.0, FOUR_BY_TWO, rng=np.random.default_rng(s)) for s in (1, 1, 2)]
    assert draw[0].tolist() == draw[1].tolist() != draw[2].tolist()


def test_all_clips_with_a_step():
    clips = all_clips(10, 30.0, Sampling(num_frames=4), step=3)
    assert clips.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert all_clips(3, 30.0, Sampling(num_frames=4), step=3).tolist() == [[0, 1, 2, 0]]


@pytest.mark.parametrize(
    ("count", "expected"), [(3, [0]), (4, [0]), (10, [0, 3, 6]), (11, [0, 3, 6, 7])]
)
def test_covering_starts_reach_the_end(count, expected):
    assert covering_starts(count, 4, step=3).tolist() == expected


def test_uniform_starts():
    table = {1: [3], 2: [0, 6], 3: [0, 3, 6], 4: [0, 2, 4, 6], 5: [0, 1, 3, 4, 6]}
    assert {v: uniform_starts(10, 4, views=v).tolist() for v in table} == table


def test_five_five_second_pieces():
    clips = piece_clips(900, 30.0, Sampling(num_frames=4))
    # pieces of 150 frames start at 750 * i // 4, their segments have centres 18.75 + 37.5 t
    assert clips[0].tolist() == [18, 56, 93, 131]
    assert clips[:, 0].tolist() == [18, 205, 393, 580, 768]


def test_random_pieces_are_in_order_and_inside():
    rng = np.random.default_rng(3)
    clips = np.stack([piece_clips(400, 30.0, Sampling(num_frames=4), rng=rng) for _ in range(50)])
    assert clips.shape == (50, 5, 4)
    assert (np.diff(clips[:, :, 0]) >= 0).all()
    assert clips.min() < 30 < 370 < clips.max() < 400


def test_pieces_of_a_video_shorter_than_one():
    assert piece_clips(60, 30.0, Sampling(num_frames=2), pieces=2).tolist() == [[15, 45], [15, 45]]


def test_span_counts_both_ends():
    assert span(FOUR_BY_TWO) == 7  # fxfxfxf
    assert random_starts(7, 7, rng=np.random.default_rng(0)).tolist() == [0]


def test_no_frames_no_clip():
    with pytest.raises(VideoError, match="0 frames"):
        sample_test(0, 30.0, FOUR_BY_TWO)


def test_rates_are_the_fractions_they_stand_for():
    # 100 000 frames of 29.97 fps at 30: the error of a decimal rate would add up to 3 frames
    track = resample(100_000, 30000 / 1001, 30.0)
    assert len(track) == int(100_000 * Fraction(1001, 1000))

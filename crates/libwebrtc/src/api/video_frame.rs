//! Pictures. Video is not supported: these types exist so that code which names them compiles, and an [`I420Buffer`]
//! really holds its planes, but no frame is ever encoded, sent, received or decoded.

use std::fmt::Debug;

use crate::api::video_source::VideoResolution;

/// How far a picture must be turned clockwise before it is shown.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum VideoRotation {
    VideoRotation0 = 0,
    VideoRotation90 = 90,
    VideoRotation180 = 180,
    VideoRotation270 = 270,
}

/// The memory layout of a picture. Only I420 exists here.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoBufferType {
    I420,
}

/// What a packet trailer would carry along with a frame.
#[derive(Debug, Clone)]
pub struct FrameMetadata {
    /// Wall-clock capture time in microseconds since 1970.
    pub user_timestamp: Option<u64>,
    pub frame_id: Option<u32>,
    pub user_data: Option<Vec<u8>>,
}

/// The codec of an [`EncodedVideoFrame`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodedVideoCodec {
    H264,
    H265,
    VP8,
    VP9,
    AV1,
}

/// Whether a frame can be decoded on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedFrameType {
    Key,
    Delta,
}

/// One access unit which the application encoded itself.
#[derive(Debug, Clone)]
pub struct EncodedVideoFrame<'a> {
    pub codec: EncodedVideoCodec,
    pub payload: &'a [u8],
    /// Capture time in microseconds.
    pub timestamp_us: i64,
    pub frame_type: EncodedFrameType,
    pub resolution: VideoResolution,
    pub frame_metadata: Option<FrameMetadata>,
}

/// A picture with its time and orientation.
#[derive(Debug)]
pub struct VideoFrame<T>
where
    T: AsRef<dyn VideoBuffer>,
{
    pub rotation: VideoRotation,
    /// Capture time in microseconds.
    pub timestamp_us: i64,
    pub frame_metadata: Option<FrameMetadata>,
    pub buffer: T,
}

impl<T: AsRef<dyn VideoBuffer>> VideoFrame<T> {
    pub fn new(rotation: VideoRotation, buffer: T) -> Self {
        Self { rotation, timestamp_us: 0, frame_metadata: None, buffer }
    }
}

pub type BoxVideoBuffer = Box<dyn VideoBuffer>;
pub type BoxVideoFrame = VideoFrame<BoxVideoBuffer>;

/// The picture of a [`VideoFrame`].
pub trait VideoBuffer: Send + Sync + Debug {
    fn width(&self) -> u32;
    fn height(&self) -> u32;
    fn buffer_type(&self) -> VideoBufferType;
    /// A copy in the I420 layout.
    fn to_i420(&self) -> I420Buffer;
    fn as_i420(&self) -> Option<&I420Buffer>;
}

/// A full plane of luma and two of chroma at half width and height.
#[derive(Clone)]
pub struct I420Buffer {
    width: u32,
    height: u32,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl I420Buffer {
    /// A black picture without padding between lines.
    pub fn new(width: u32, height: u32) -> Self {
        let luma = width as usize * height as usize;
        let chroma = width.div_ceil(2) as usize * height.div_ceil(2) as usize;
        Self { width, height, y: vec![0; luma], u: vec![128; chroma], v: vec![128; chroma] }
    }

    pub fn chroma_width(&self) -> u32 {
        self.width.div_ceil(2)
    }

    pub fn chroma_height(&self) -> u32 {
        self.height.div_ceil(2)
    }

    /// Bytes per line of the Y, U and V planes.
    pub fn strides(&self) -> (u32, u32, u32) {
        (self.width, self.chroma_width(), self.chroma_width())
    }

    /// The Y, U and V planes.
    pub fn data(&self) -> (&[u8], &[u8], &[u8]) {
        (&self.y, &self.u, &self.v)
    }

    /// The Y, U and V planes, to draw on.
    pub fn data_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        (&mut self.y, &mut self.u, &mut self.v)
    }
}

impl VideoBuffer for I420Buffer {
    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn buffer_type(&self) -> VideoBufferType {
        VideoBufferType::I420
    }

    fn to_i420(&self) -> I420Buffer {
        self.clone()
    }

    fn as_i420(&self) -> Option<&I420Buffer> {
        Some(self)
    }
}

impl AsRef<dyn VideoBuffer> for I420Buffer {
    fn as_ref(&self) -> &(dyn VideoBuffer + 'static) {
        self
    }
}

impl Debug for I420Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("I420Buffer")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_size_rounds_the_chroma_planes_up() {
        let mut buffer = I420Buffer::new(5, 3);
        assert_eq!((buffer.chroma_width(), buffer.chroma_height()), (3, 2));
        buffer.data_mut().0.fill(180);
        let (y, u, v) = buffer.data();
        assert_eq!((y.len(), u.len(), v.len()), (15, 6, 6));
        assert!(y.iter().all(|luma| *luma == 180));
    }
}
